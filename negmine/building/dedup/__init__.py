"""The same sound found twice, by acoustic fingerprint."""
