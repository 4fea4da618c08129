"""Clips: resumable uploads, accepted when manifest and digest agree, and handed out for viewing."""
