"""ORM classes, one file per noun. Importing this package makes :data:`Base.metadata` complete."""

from server.tables.audit_log import AuditEntry, AuditHead
from server.tables.base import Base
from server.tables.checks import Check, CheckPiece, Clip, ClipUpload
from server.tables.enrolment import BulkEnrolment, BulkRow, BulkState
from server.tables.join import CheckToJoin, Pairing, PairingMethod, UnjoinedReason
from server.tables.keeping import DeletionCertificate, JobLock, LegalHold
from server.tables.people import (
    AgentApproval,
    BasisKind,
    EnrolmentPhoto,
    FaceTemplate,
    InsuredPerson,
    LegalBasis,
    Purpose,
    StaffMember,
)
from server.tables.settlements import LineItem, RejectedRow, Reversal, Settlement, SettlementImport, Stay, TraceCode
from server.tables.sites import (
    Bed,
    BoxReport,
    Camera,
    Device,
    DeviceKey,
    District,
    Footfall,
    Institution,
    InstitutionType,
    SiteNotice,
    Terminal,
)
from server.tables.users import LoginSession, LoginThrottle, User

__all__ = [
    "AgentApproval",
    "AuditEntry",
    "AuditHead",
    "Base",
    "BasisKind",
    "Bed",
    "BoxReport",
    "BulkEnrolment",
    "BulkRow",
    "BulkState",
    "Camera",
    "Check",
    "CheckPiece",
    "CheckToJoin",
    "Clip",
    "ClipUpload",
    "DeletionCertificate",
    "Device",
    "DeviceKey",
    "District",
    "EnrolmentPhoto",
    "FaceTemplate",
    "Footfall",
    "Institution",
    "InstitutionType",
    "InsuredPerson",
    "JobLock",
    "LegalBasis",
    "LegalHold",
    "LineItem",
    "LoginSession",
    "LoginThrottle",
    "Pairing",
    "PairingMethod",
    "Purpose",
    "RejectedRow",
    "Reversal",
    "Settlement",
    "SettlementImport",
    "SiteNotice",
    "StaffMember",
    "Stay",
    "Terminal",
    "TraceCode",
    "UnjoinedReason",
    "User",
]
