"""The JSON API: thin handlers around the service layer."""
