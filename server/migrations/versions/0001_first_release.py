"""The tables of the first release."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from server.tables.append_only import HEAD_TRIGGERS, TRIGGERS

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """To this revision."""
    op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_head")),
    )
    op.create_table(
        "audit_log",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor_kind", sa.String(length=16), nullable=False),
        sa.Column("actor_id", sa.String(length=64), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("object_kind", sa.String(length=32), nullable=False),
        sa.Column("object_id", sa.String(length=128), nullable=False),
        sa.Column("purpose", sa.String(length=200), nullable=False),
        sa.Column("district_code", sa.String(length=6), nullable=True),
        sa.Column("detail", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("previous_digest", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_audit_log")),
    )
    with op.batch_alter_table("audit_log", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_audit_log_actor_id_at"), ["actor_id", "at"], unique=False)
        batch_op.create_index(batch_op.f("ix_audit_log_at"), ["at"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_audit_log_object_kind_object_id"), ["object_kind", "object_id"], unique=False
        )

    op.create_table(
        "bulk_enrolments",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False, comment="of table, photos, pack and district"),
        sa.Column("dry_run", sa.Boolean(), nullable=False),
        sa.Column(
            "state",
            sa.Enum("running", "done", name="bulkstate", native_enum=False, create_constraint=True, length=40),
            nullable=False,
        ),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column(
            "photos_unused", sa.Integer(), nullable=False, comment="photos that are named after nobody of the table"
        ),
        sa.Column("district_code", sa.String(length=6), nullable=True, comment="of who ordered it, for scope"),
        sa.Column("lease_holder", sa.String(length=32), nullable=True, comment="whoever works on it"),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("started_by", sa.String(length=32), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bulk_enrolments")),
        sa.UniqueConstraint("digest", name=op.f("uq_bulk_enrolments_digest")),
    )
    with op.batch_alter_table("bulk_enrolments", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_bulk_enrolments_district_code"), ["district_code"], unique=False)

    op.create_table(
        "deletion_certificates",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column(
            "kind", sa.String(length=32), nullable=False, comment="erasure, or the kind of data whose time was over"
        ),
        sa.Column(
            "subject_index", sa.String(length=64), nullable=True, comment="blind index of psn_no, for an erasure"
        ),
        sa.Column("district_code", sa.String(length=6), nullable=True),
        sa.Column(
            "counts",
            sa.JSON().with_variant(postgresql.JSONB(), "postgresql"),
            nullable=False,
            comment="what was deleted to how many",
        ),
        sa.Column("why", sa.String(length=300), nullable=False),
        sa.Column("made_by", sa.String(length=64), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deletion_certificates")),
    )
    with op.batch_alter_table("deletion_certificates", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_deletion_certificates_made_at"), ["made_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_deletion_certificates_subject_index"), ["subject_index"], unique=False)

    op.create_table(
        "districts",
        sa.Column("code", sa.String(length=6), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_districts")),
    )
    op.create_table(
        "job_locks",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("holder", sa.String(length=64), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_done_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_job_locks")),
    )
    op.create_table(
        "legal_holds",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column(
            "object_kind", sa.String(length=32), nullable=False, comment="check, person, institution or settlement"
        ),
        sa.Column("object_id", sa.String(length=64), nullable=False, comment="the server's own id"),
        sa.Column("district_code", sa.String(length=6), nullable=True),
        sa.Column("why", sa.String(length=300), nullable=False),
        sa.Column("placed_by", sa.String(length=32), nullable=False),
        sa.Column("placed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("released_by", sa.String(length=32), nullable=True),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_legal_holds")),
    )
    with op.batch_alter_table("legal_holds", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_legal_holds_object_kind_object_id"), ["object_kind", "object_id"], unique=False
        )

    op.create_table(
        "login_throttles",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("tried", sa.Integer(), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_login_throttles")),
    )
    with op.batch_alter_table("login_throttles", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_login_throttles_last_at"), ["last_at"], unique=False)

    op.create_table(
        "settlement_imports",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False, comment="settlements, reversals, stays or items"),
        sa.Column("file_name", sa.String(length=255), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column(
            "district_code", sa.String(length=6), nullable=True, comment="of who imported it; null: all districts"
        ),
        sa.Column("started_by", sa.String(length=32), nullable=False, comment="user, or server"),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True, comment="null: it runs, or was cut off"),
        sa.Column(
            "stopped_by", sa.String(length=300), nullable=True, comment="why the file could not be read to its end"
        ),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("added", sa.Integer(), nullable=False),
        sa.Column("changed", sa.Integer(), nullable=False),
        sa.Column("unchanged", sa.Integer(), nullable=False),
        sa.Column("rejected", sa.Integer(), nullable=False),
        sa.Column(
            "warnings",
            sa.JSON().with_variant(postgresql.JSONB(), "postgresql"),
            nullable=False,
            comment="warning code to count",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_settlement_imports")),
    )
    op.create_table(
        "bulk_rows",
        sa.Column("bulk_id", sa.String(length=32), nullable=False),
        sa.Column("row", sa.Integer(), autoincrement=False, nullable=False, comment="line of the table, from 2 on"),
        sa.Column("outcome", sa.String(length=20), nullable=False, comment="enrolled, updated, unchanged, refused"),
        sa.Column("person_id", sa.String(length=32), nullable=True),
        sa.Column("photos_taken", sa.Integer(), nullable=False),
        sa.Column(
            "problems",
            sa.JSON().with_variant(postgresql.JSONB(), "postgresql"),
            nullable=False,
            comment="field, reason code and both languages of each problem",
        ),
        sa.ForeignKeyConstraint(
            ["bulk_id"], ["bulk_enrolments.id"], name=op.f("fk_bulk_rows_bulk_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("bulk_id", "row", name=op.f("pk_bulk_rows")),
    )
    op.create_table(
        "institutions",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("fixmedins_code", sa.String(length=64), nullable=False),
        sa.Column("fixmedins_name", sa.String(length=200), nullable=False),
        sa.Column(
            "fixmedins_type",
            sa.Enum("1", "2", name="institutiontype", native_enum=False, create_constraint=True, length=40),
            nullable=False,
        ),
        sa.Column("district_code", sa.String(length=6), nullable=False),
        sa.Column("latitude", sa.Float(), nullable=True),
        sa.Column("longitude", sa.Float(), nullable=True),
        sa.Column(
            "hours",
            sa.JSON().with_variant(postgresql.JSONB(), "postgresql"),
            nullable=False,
            comment="weekday 1 to 7 to list of [open, close], local HH:MM; no key means not known",
        ),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("latitude BETWEEN -90 AND 90", name=op.f("ck_institutions_latitude")),
        sa.CheckConstraint("longitude BETWEEN -180 AND 180", name=op.f("ck_institutions_longitude")),
        sa.ForeignKeyConstraint(["district_code"], ["districts.code"], name=op.f("fk_institutions_district_code")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_institutions")),
        sa.UniqueConstraint("fixmedins_code", name=op.f("uq_institutions_fixmedins_code")),
    )
    with op.batch_alter_table("institutions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_institutions_district_code"), ["district_code"], unique=False)

    op.create_table(
        "insured_persons",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("psn_no", sa.String(length=64), nullable=False),
        sa.Column("district_code", sa.String(length=6), nullable=False, comment="insuplc_admdvs"),
        sa.Column("psn_name_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("psn_name_index", sa.String(length=64), nullable=False),
        sa.Column("psn_cert_type", sa.String(length=6), nullable=True),
        sa.Column("certno_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("certno_index", sa.String(length=64), nullable=True),
        sa.Column("gend", sa.String(length=6), nullable=True),
        sa.Column("brdy_sealed", sa.LargeBinary(), nullable=True, comment="birth date, ISO 8601"),
        sa.Column("insutype", sa.String(length=6), nullable=True),
        sa.Column("psn_type", sa.String(length=6), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["district_code"], ["districts.code"], name=op.f("fk_insured_persons_district_code")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_insured_persons")),
        sa.UniqueConstraint("certno_index", name=op.f("uq_insured_persons_certno_index")),
        sa.UniqueConstraint("psn_no", name=op.f("uq_insured_persons_psn_no")),
    )
    with op.batch_alter_table("insured_persons", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_insured_persons_district_code"), ["district_code"], unique=False)
        batch_op.create_index(batch_op.f("ix_insured_persons_psn_name_index"), ["psn_name_index"], unique=False)

    op.create_table(
        "line_items",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("setl_id", sa.String(length=64), nullable=False),
        sa.Column(
            "feedetl_sn", sa.String(length=64), nullable=False, comment="number of the line within its settlement"
        ),
        sa.Column("med_list_codg", sa.String(length=64), nullable=True),
        sa.Column("medins_list_codg", sa.String(length=64), nullable=True),
        sa.Column("cnt", sa.BigInteger(), nullable=False, comment="0.0001 units"),
        sa.Column("pric", sa.BigInteger(), nullable=False, comment="0.0001 yuan"),
        sa.Column("det_item_fee_sumamt", sa.BigInteger(), nullable=False, comment="fen"),
        sa.Column("import_id", sa.String(length=32), nullable=False),
        sa.Column("content_digest", sa.LargeBinary(length=16), nullable=False),
        sa.ForeignKeyConstraint(["import_id"], ["settlement_imports.id"], name=op.f("fk_line_items_import_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_line_items")),
        sa.UniqueConstraint("setl_id", "feedetl_sn", name=op.f("uq_line_items_setl_id_feedetl_sn")),
    )
    op.create_table(
        "rejected_rows",
        sa.Column("import_id", sa.String(length=32), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False, comment="in the order of the file"),
        sa.Column(
            "row",
            sa.Integer(),
            nullable=False,
            comment="line of the file, the head is 1; number of the object in a JSON array",
        ),
        sa.Column("field", sa.String(length=64), nullable=False),
        sa.Column("why", sa.String(length=300), nullable=False),
        sa.ForeignKeyConstraint(
            ["import_id"], ["settlement_imports.id"], name=op.f("fk_rejected_rows_import_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("import_id", "number", name=op.f("pk_rejected_rows")),
    )
    op.create_table(
        "reversals",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("setl_id", sa.String(length=64), nullable=False, comment="of the reversal itself"),
        sa.Column("reversed_setl_id", sa.String(length=64), nullable=False, comment="init_setl_id of the platform"),
        sa.Column("psn_no", sa.String(length=64), nullable=False),
        sa.Column("fixmedins_code", sa.String(length=64), nullable=False),
        sa.Column("setl_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("medfee_sumamt", sa.BigInteger(), nullable=False, comment="fen, as a positive amount"),
        sa.Column("import_id", sa.String(length=32), nullable=False),
        sa.Column("content_digest", sa.LargeBinary(length=16), nullable=False),
        sa.ForeignKeyConstraint(["import_id"], ["settlement_imports.id"], name=op.f("fk_reversals_import_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reversals")),
        sa.UniqueConstraint("setl_id", name=op.f("uq_reversals_setl_id")),
    )
    with op.batch_alter_table("reversals", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_reversals_reversed_setl_id"), ["reversed_setl_id"], unique=False)

    op.create_table(
        "users",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("login", sa.String(length=64), nullable=False),
        sa.Column("display_name", sa.String(length=64), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column(
            "role",
            sa.Enum(
                "reviewer",
                "senior_reviewer",
                "case_officer",
                "enroller",
                "inspector",
                "auditor",
                "admin",
                name="role",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("district_code", sa.String(length=6), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("password_changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "password_expired",
            sa.Boolean(),
            nullable=False,
            comment="somebody else knows it: nothing is done before it was changed",
        ),
        sa.ForeignKeyConstraint(["district_code"], ["districts.code"], name=op.f("fk_users_district_code")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("login", name=op.f("uq_users_login")),
    )
    op.create_table(
        "agent_approvals",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("holder_id", sa.String(length=32), nullable=False),
        sa.Column("agent_id", sa.String(length=32), nullable=False),
        sa.Column("relation", sa.String(length=20), nullable=False),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("valid_to", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("approved_by", sa.String(length=32), nullable=False, comment="user"),
        sa.CheckConstraint("holder_id <> agent_id", name=op.f("ck_agent_approvals_not_oneself")),
        sa.CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name=op.f("ck_agent_approvals_period")),
        sa.ForeignKeyConstraint(
            ["agent_id"], ["insured_persons.id"], name=op.f("fk_agent_approvals_agent_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["holder_id"], ["insured_persons.id"], name=op.f("fk_agent_approvals_holder_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agent_approvals")),
    )
    with op.batch_alter_table("agent_approvals", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_agent_approvals_agent_id"), ["agent_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_agent_approvals_holder_id"), ["holder_id"], unique=False)

    op.create_table(
        "devices",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("institution_id", sa.String(length=32), nullable=False),
        sa.Column("label", sa.String(length=64), nullable=False),
        sa.Column("enrol_token_digest", sa.String(length=64), nullable=True),
        sa.Column("enrol_token_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("enrolled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("token_digest", sa.String(length=64), nullable=True),
        sa.Column(
            "token_sealed",
            sa.LargeBinary(),
            nullable=True,
            comment="kept until first use, so that a lost answer can be given again",
        ),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("agent_version", sa.String(length=40), nullable=True),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("clock_offset_s", sa.Float(), nullable=True, comment="box's clock minus the server's"),
        sa.Column("outbox_waiting", sa.Integer(), nullable=True),
        sa.Column("outbox_oldest_s", sa.Float(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["institution_id"], ["institutions.id"], name=op.f("fk_devices_institution_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_devices")),
        sa.UniqueConstraint("enrol_token_digest", name=op.f("uq_devices_enrol_token_digest")),
        sa.UniqueConstraint("token_digest", name=op.f("uq_devices_token_digest")),
    )
    with op.batch_alter_table("devices", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_devices_institution_id"), ["institution_id"], unique=False)

    op.create_table(
        "footfall",
        sa.Column("institution_id", sa.String(length=32), nullable=False),
        sa.Column("camera_id", sa.String(length=64), nullable=False),
        sa.Column("hour_start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("visits", sa.Integer(), nullable=False),
        sa.Column("most_at_once", sa.Integer(), nullable=False),
        sa.Column("looks", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["institution_id"], ["institutions.id"], name=op.f("fk_footfall_institution_id")),
        sa.PrimaryKeyConstraint("institution_id", "camera_id", "hour_start", name=op.f("pk_footfall")),
    )
    op.create_table(
        "legal_bases",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("person_id", sa.String(length=32), nullable=False),
        sa.Column(
            "purpose",
            sa.Enum(
                "identity_check",
                "bed_check",
                "agent_check",
                "evidence",
                name="purpose",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column(
            "basis",
            sa.Enum(
                "consent", "statutory_duty", name="basiskind", native_enum=False, create_constraint=True, length=40
            ),
            nullable=False,
        ),
        sa.Column("version", sa.String(length=40), nullable=False, comment="of the text that was shown"),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("guardian_name_sealed", sa.LargeBinary(), nullable=True, comment="needed under 14 years"),
        sa.Column("guardian_relation", sa.String(length=20), nullable=True),
        sa.Column("recorded_by", sa.String(length=32), nullable=False, comment="user"),
        sa.ForeignKeyConstraint(
            ["person_id"], ["insured_persons.id"], name=op.f("fk_legal_bases_person_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_legal_bases")),
    )
    with op.batch_alter_table("legal_bases", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_legal_bases_person_id_purpose"), ["person_id", "purpose"], unique=False)

    op.create_table(
        "login_sessions",
        sa.Column("token_digest", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=32), nullable=False),
        sa.Column("csrf_digest", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_login_sessions_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("token_digest", name=op.f("pk_login_sessions")),
    )
    with op.batch_alter_table("login_sessions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_login_sessions_expires_at"), ["expires_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_login_sessions_user_id"), ["user_id"], unique=False)

    op.create_table(
        "settlements",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("setl_id", sa.String(length=64), nullable=False),
        sa.Column("medins_setl_id", sa.String(length=64), nullable=True),
        sa.Column("mdtrt_id", sa.String(length=64), nullable=True),
        sa.Column("psn_no", sa.String(length=64), nullable=False),
        sa.Column("fixmedins_code", sa.String(length=64), nullable=False),
        sa.Column("institution_id", sa.String(length=32), nullable=True, comment="null: not known here"),
        sa.Column("district_code", sa.String(length=6), nullable=True, comment="of the institution, for scope"),
        sa.Column("terminal_id", sa.String(length=64), nullable=True),
        sa.Column("setl_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("insutype", sa.String(length=6), nullable=True),
        sa.Column("med_type", sa.String(length=6), nullable=True),
        sa.Column("mdtrt_cert_type", sa.String(length=3), nullable=True),
        sa.Column("credential_sealed", sa.LargeBinary(), nullable=True, comment="mdtrt_cert_no and card_sn, as JSON"),
        sa.Column("credential_index", sa.String(length=64), nullable=True, comment="blind index of the credential"),
        sa.Column("medfee_sumamt", sa.BigInteger(), nullable=False),
        sa.Column("fund_pay_sumamt", sa.BigInteger(), nullable=False),
        sa.Column("acct_pay", sa.BigInteger(), nullable=False),
        sa.Column("acct_mulaid_pay", sa.BigInteger(), nullable=False),
        sa.Column("psn_cash_pay", sa.BigInteger(), nullable=False),
        sa.Column("invono", sa.String(length=64), nullable=True),
        sa.Column("opter", sa.String(length=64), nullable=True),
        sa.Column("import_id", sa.String(length=32), nullable=False),
        sa.Column(
            "content_digest",
            sa.LargeBinary(length=16),
            nullable=False,
            comment="tells a repeated row from a corrected one",
        ),
        sa.Column(
            "unjoined_reason",
            sa.Enum(
                "waiting",
                "unknown_institution",
                "no_box",
                "box_not_heard",
                "no_check_near",
                "ambiguous",
                "id_contradicted",
                "not_at_a_counter",
                "check_expired",
                name="unjoinedreason",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            server_default="waiting",
            nullable=True,
            comment="null: joined; waiting: the join looks at it in its next run",
        ),
        sa.ForeignKeyConstraint(["import_id"], ["settlement_imports.id"], name=op.f("fk_settlements_import_id")),
        sa.ForeignKeyConstraint(["institution_id"], ["institutions.id"], name=op.f("fk_settlements_institution_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_settlements")),
        sa.UniqueConstraint("setl_id", name=op.f("uq_settlements_setl_id")),
    )
    with op.batch_alter_table("settlements", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_settlements_district_code_setl_time"), ["district_code", "setl_time"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_settlements_fixmedins_code_setl_time"), ["fixmedins_code", "setl_time"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_settlements_institution_id_setl_time"), ["institution_id", "setl_time"], unique=False
        )
        batch_op.create_index(
            "ix_settlements_of_unknown_institutions",
            ["fixmedins_code"],
            unique=False,
            sqlite_where=sa.text("institution_id IS NULL"),
            postgresql_where=sa.text("institution_id IS NULL"),
        )
        batch_op.create_index(batch_op.f("ix_settlements_psn_no_setl_time"), ["psn_no", "setl_time"], unique=False)
        batch_op.create_index(
            "ix_settlements_waiting",
            ["id"],
            unique=False,
            sqlite_where=sa.text("unjoined_reason = 'waiting'"),
            postgresql_where=sa.text("unjoined_reason = 'waiting'"),
        )

    op.create_table(
        "site_notices",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("institution_id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False, comment="such as camera_unfit or box_quiet"),
        sa.Column("object_id", sa.String(length=64), nullable=False, comment="id of the device or camera"),
        sa.Column("detail", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["institution_id"], ["institutions.id"], name=op.f("fk_site_notices_institution_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_site_notices")),
    )
    with op.batch_alter_table("site_notices", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_site_notices_institution_id_ended_at"), ["institution_id", "ended_at"], unique=False
        )
        batch_op.create_index(
            "uq_site_notices_open",
            ["kind", "object_id"],
            unique=True,
            sqlite_where=sa.text("ended_at IS NULL"),
            postgresql_where=sa.text("ended_at IS NULL"),
        )

    op.create_table(
        "staff_members",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("institution_id", sa.String(length=32), nullable=False),
        sa.Column("staff_no", sa.String(length=64), nullable=False),
        sa.Column("name_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("basis_version", sa.String(length=40), nullable=False, comment="of the text that was agreed to"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("left_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["institution_id"], ["institutions.id"], name=op.f("fk_staff_members_institution_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_members")),
        sa.UniqueConstraint("institution_id", "staff_no", name=op.f("uq_staff_members_institution_id_staff_no")),
    )
    op.create_table(
        "stays",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("mdtrt_id", sa.String(length=64), nullable=False),
        sa.Column("ipt_no", sa.String(length=64), nullable=True),
        sa.Column("psn_no", sa.String(length=64), nullable=False),
        sa.Column("fixmedins_code", sa.String(length=64), nullable=False),
        sa.Column("institution_id", sa.String(length=32), nullable=True),
        sa.Column("district_code", sa.String(length=6), nullable=True),
        sa.Column("begntime", sa.DateTime(timezone=True), nullable=True, comment="null: only the discharge has come"),
        sa.Column("endtime", sa.DateTime(timezone=True), nullable=True),
        sa.Column("adm_bed", sa.String(length=64), nullable=True),
        sa.Column("adm_dept_codg", sa.String(length=64), nullable=True),
        sa.Column("adm_dept_name", sa.String(length=100), nullable=True),
        sa.Column("dscg_bed", sa.String(length=64), nullable=True),
        sa.Column("dscg_way", sa.String(length=6), nullable=True),
        sa.Column("die_date", sa.DateTime(timezone=True), nullable=True),
        sa.Column("import_id", sa.String(length=32), nullable=False),
        sa.Column("content_digest", sa.LargeBinary(length=16), nullable=False),
        sa.ForeignKeyConstraint(["import_id"], ["settlement_imports.id"], name=op.f("fk_stays_import_id")),
        sa.ForeignKeyConstraint(["institution_id"], ["institutions.id"], name=op.f("fk_stays_institution_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stays")),
        sa.UniqueConstraint("fixmedins_code", "mdtrt_id", name=op.f("uq_stays_fixmedins_code_mdtrt_id")),
    )
    with op.batch_alter_table("stays", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_stays_institution_id_begntime"), ["institution_id", "begntime"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_stays_psn_no_begntime"), ["psn_no", "begntime"], unique=False)

    op.create_table(
        "trace_codes",
        sa.Column("item_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("drug_trac_codg", sa.String(length=100), nullable=False),
        sa.ForeignKeyConstraint(
            ["item_id"], ["line_items.id"], name=op.f("fk_trace_codes_item_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("item_id", "drug_trac_codg", name=op.f("pk_trace_codes")),
    )
    with op.batch_alter_table("trace_codes", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_trace_codes_drug_trac_codg"), ["drug_trac_codg"], unique=False)

    op.create_table(
        "box_reports",
        sa.Column("device_id", sa.String(length=32), nullable=False),
        sa.Column("report_id", sa.String(length=128), nullable=False),
        sa.Column("period_start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("period_end", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("body", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.ForeignKeyConstraint(["device_id"], ["devices.id"], name=op.f("fk_box_reports_device_id")),
        sa.PrimaryKeyConstraint("device_id", "report_id", name=op.f("pk_box_reports")),
    )
    with op.batch_alter_table("box_reports", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_box_reports_device_id_period_end"), ["device_id", "period_end"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_box_reports_device_id_received_at"), ["device_id", "received_at"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_box_reports_received_at"), ["received_at"], unique=False)

    op.create_table(
        "cameras",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("institution_id", sa.String(length=32), nullable=False),
        sa.Column("camera_id", sa.String(length=64), nullable=False, comment="as the box names it"),
        sa.Column("device_id", sa.String(length=32), nullable=True),
        sa.Column("label", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=True),
        sa.Column("recorded_from", sa.DateTime(timezone=True), nullable=True),
        sa.Column("recorded_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "fitness",
            sa.JSON().with_variant(postgresql.JSONB(), "postgresql"),
            nullable=True,
            comment="the last CameraFitness",
        ),
        sa.ForeignKeyConstraint(["device_id"], ["devices.id"], name=op.f("fk_cameras_device_id")),
        sa.ForeignKeyConstraint(["institution_id"], ["institutions.id"], name=op.f("fk_cameras_institution_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cameras")),
        sa.UniqueConstraint("institution_id", "camera_id", name=op.f("uq_cameras_institution_id_camera_id")),
    )
    op.create_table(
        "checks",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("device_id", sa.String(length=32), nullable=False),
        sa.Column("delivery_id", sa.String(length=128), nullable=False, comment="unique within a device"),
        sa.Column(
            "body_sha256",
            sa.String(length=64),
            nullable=False,
            comment="of the delivery, to notice another under its id",
        ),
        sa.Column("kind", sa.String(length=8), nullable=False, comment="swipe, bed or round"),
        sa.Column("setl_id", sa.String(length=64), nullable=True, comment="the swipe's, where it is one"),
        sa.Column("institution_id", sa.String(length=32), nullable=False),
        sa.Column("district_code", sa.String(length=6), nullable=False, comment="of the institution, for scope"),
        sa.Column("terminal_id", sa.String(length=64), nullable=True),
        sa.Column("bed_id", sa.String(length=64), nullable=True),
        sa.Column("camera_id", sa.String(length=64), nullable=True),
        sa.Column("psn_no", sa.String(length=64), nullable=True),
        sa.Column("happened_at", sa.DateTime(timezone=True), nullable=False, comment="swiped_at or asked_at"),
        sa.Column("clock_offset_s", sa.Float(), nullable=False),
        sa.Column("verdict", sa.String(length=24), nullable=False),
        sa.Column("reasons", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("score", sa.Float(), nullable=True),
        sa.Column("body", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column(
            "decided",
            sa.JSON().with_variant(postgresql.JSONB(), "postgresql"),
            nullable=True,
            comment="the check as the server decided it",
        ),
        sa.Column(
            "decided_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="or last tried in vain, while verdict is pending",
        ),
        sa.Column("clip_due", sa.Boolean(), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["device_id"], ["devices.id"], name=op.f("fk_checks_device_id")),
        sa.ForeignKeyConstraint(["institution_id"], ["institutions.id"], name=op.f("fk_checks_institution_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_checks")),
        sa.UniqueConstraint("device_id", "delivery_id", name=op.f("uq_checks_device_id_delivery_id")),
    )
    with op.batch_alter_table("checks", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_checks_district_code_happened_at"), ["district_code", "happened_at"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_checks_institution_id_happened_at"), ["institution_id", "happened_at"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_checks_psn_no_happened_at"), ["psn_no", "happened_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_checks_received_at"), ["received_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_checks_setl_id"), ["setl_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_checks_verdict_happened_at"), ["verdict", "happened_at"], unique=False)

    op.create_table(
        "clip_uploads",
        sa.Column("id", sa.String(length=64), nullable=False, comment="the upload's id in its address"),
        sa.Column("device_id", sa.String(length=32), nullable=False),
        sa.Column("delivery_id", sa.String(length=128), nullable=False),
        sa.Column("begun_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["device_id"], ["devices.id"], name=op.f("fk_clip_uploads_device_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_clip_uploads")),
    )
    with op.batch_alter_table("clip_uploads", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_clip_uploads_begun_at"), ["begun_at"], unique=False)

    op.create_table(
        "device_keys",
        sa.Column("key_id", sa.String(length=64), nullable=False, comment="sha256 of the raw public key"),
        sa.Column("device_id", sa.String(length=32), nullable=False),
        sa.Column("public_key", sa.LargeBinary(length=32), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["device_id"], ["devices.id"], name=op.f("fk_device_keys_device_id")),
        sa.PrimaryKeyConstraint("key_id", name=op.f("pk_device_keys")),
    )
    with op.batch_alter_table("device_keys", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_device_keys_device_id"), ["device_id"], unique=False)

    op.create_table(
        "enrolment_photos",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("person_id", sa.String(length=32), nullable=True),
        sa.Column("staff_id", sa.String(length=32), nullable=True),
        sa.Column("store_key", sa.String(length=200), nullable=False),
        sa.Column("sha256_index", sa.String(length=64), nullable=False, comment="blind index of the photo's digest"),
        sa.Column(
            "quality",
            sa.JSON().with_variant(postgresql.JSONB(), "postgresql"),
            nullable=False,
            comment="a SampleQuality",
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.String(length=32), nullable=False, comment="user"),
        sa.CheckConstraint("(person_id IS NULL) <> (staff_id IS NULL)", name=op.f("ck_enrolment_photos_one_owner")),
        sa.ForeignKeyConstraint(
            ["person_id"], ["insured_persons.id"], name=op.f("fk_enrolment_photos_person_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff_members.id"], name=op.f("fk_enrolment_photos_staff_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_enrolment_photos")),
        sa.UniqueConstraint("store_key", name=op.f("uq_enrolment_photos_store_key")),
    )
    with op.batch_alter_table("enrolment_photos", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_enrolment_photos_person_id"), ["person_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_enrolment_photos_staff_id"), ["staff_id"], unique=False)

    op.create_table(
        "beds",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("institution_id", sa.String(length=32), nullable=False),
        sa.Column("ward", sa.String(length=64), nullable=False),
        sa.Column("bed_id", sa.String(length=64), nullable=False),
        sa.Column("camera_id", sa.String(length=32), nullable=True),
        sa.ForeignKeyConstraint(["camera_id"], ["cameras.id"], name=op.f("fk_beds_camera_id")),
        sa.ForeignKeyConstraint(["institution_id"], ["institutions.id"], name=op.f("fk_beds_institution_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_beds")),
        sa.UniqueConstraint("institution_id", "bed_id", name=op.f("uq_beds_institution_id_bed_id")),
    )
    op.create_table(
        "check_pieces",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("check_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("path", sa.String(length=200), nullable=False, comment="as the check names it"),
        sa.Column("kind", sa.String(length=16), nullable=False, comment="sample, still or sealed_samples"),
        sa.Column("sha256", sa.String(length=64), nullable=False, comment="of the plain bytes"),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("store_key", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(["check_id"], ["checks.id"], name=op.f("fk_check_pieces_check_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_check_pieces")),
        sa.UniqueConstraint("check_id", "path", name=op.f("uq_check_pieces_check_id_path")),
        sa.UniqueConstraint("store_key", name=op.f("uq_check_pieces_store_key")),
    )
    op.create_table(
        "checks_to_join",
        sa.Column("check_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(
            ["check_id"], ["checks.id"], name=op.f("fk_checks_to_join_check_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("check_id", name=op.f("pk_checks_to_join")),
    )
    op.create_table(
        "clips",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("check_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("store_key", sa.String(length=200), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size_bytes", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("manifest", sa.Text(), nullable=False, comment="the exact text that was signed"),
        sa.Column("key_id", sa.String(length=64), nullable=False),
        sa.Column("signature", sa.String(length=200), nullable=False),
        sa.Column("start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("end", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["check_id"], ["checks.id"], name=op.f("fk_clips_check_id")),
        sa.ForeignKeyConstraint(["key_id"], ["device_keys.key_id"], name=op.f("fk_clips_key_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_clips")),
        sa.UniqueConstraint("check_id", name=op.f("uq_clips_check_id")),
        sa.UniqueConstraint("store_key", name=op.f("uq_clips_store_key")),
    )
    op.create_table(
        "face_templates",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("person_id", sa.String(length=32), nullable=True),
        sa.Column("staff_id", sa.String(length=32), nullable=True),
        sa.Column("photo_id", sa.String(length=32), nullable=False),
        sa.Column("pack", sa.String(length=64), nullable=False),
        sa.Column("embedder_sha256", sa.String(length=64), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(person_id IS NULL) <> (staff_id IS NULL)", name=op.f("ck_face_templates_one_owner")),
        sa.ForeignKeyConstraint(
            ["person_id"], ["insured_persons.id"], name=op.f("fk_face_templates_person_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["photo_id"], ["enrolment_photos.id"], name=op.f("fk_face_templates_photo_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff_members.id"], name=op.f("fk_face_templates_staff_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_face_templates")),
        sa.UniqueConstraint("photo_id", "embedder_sha256", name=op.f("uq_face_templates_photo_id_embedder_sha256")),
    )
    with op.batch_alter_table("face_templates", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_face_templates_embedder_sha256"), ["embedder_sha256"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_face_templates_person_id_embedder_sha256"), ["person_id", "embedder_sha256"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_face_templates_staff_id_embedder_sha256"), ["staff_id", "embedder_sha256"], unique=False
        )

    op.create_table(
        "pairings",
        sa.Column("settlement_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("check_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "method",
            sa.Enum(
                "setl_id", "nearest_time", name="pairingmethod", native_enum=False, create_constraint=True, length=40
            ),
            nullable=False,
        ),
        sa.Column("confidence", sa.Float(), nullable=False, comment="0 to 1"),
        sa.Column(
            "time_difference_s", sa.Float(), nullable=False, comment="settlement minus swipe, after clock offset"
        ),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("confidence BETWEEN 0 AND 1", name=op.f("ck_pairings_confidence")),
        sa.ForeignKeyConstraint(["check_id"], ["checks.id"], name=op.f("fk_pairings_check_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["settlement_id"], ["settlements.id"], name=op.f("fk_pairings_settlement_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("settlement_id", name=op.f("pk_pairings")),
        sa.UniqueConstraint("check_id", name=op.f("uq_pairings_check_id")),
    )
    op.create_table(
        "terminals",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("institution_id", sa.String(length=32), nullable=False),
        sa.Column("terminal_id", sa.String(length=64), nullable=False),
        sa.Column("camera_id", sa.String(length=32), nullable=True),
        sa.ForeignKeyConstraint(["camera_id"], ["cameras.id"], name=op.f("fk_terminals_camera_id")),
        sa.ForeignKeyConstraint(["institution_id"], ["institutions.id"], name=op.f("fk_terminals_institution_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_terminals")),
        sa.UniqueConstraint("institution_id", "terminal_id", name=op.f("uq_terminals_institution_id_terminal_id")),
    )
    for triggers in (TRIGGERS, HEAD_TRIGGERS):
        for statement in triggers[op.get_bind().dialect.name]:
            op.get_bind().exec_driver_sql(statement)
    head = sa.table("audit_head", sa.column("id"), sa.column("number"), sa.column("digest"))
    op.execute(head.insert().values(id=1, number=0, digest="0" * 64))


def downgrade() -> None:
    """A release is not taken back over data: restore the backup."""
    raise NotImplementedError("restore the backup from before the migration")
