"""Pictures and videos, faces found in them, landmarks and crops."""
