"""Images and videos, face detection, landmarks and crops."""
