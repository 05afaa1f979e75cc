"""A page in the browser for people who only want to check a picture or a clip."""
