"""What everybody may read: the API, its events, its errors."""
