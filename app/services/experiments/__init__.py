"""New versions beside the champion, and who answers meanwhile."""
