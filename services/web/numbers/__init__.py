"""Numbers for the lead: waits, volume, overdue studies, agreement, by reader, site and release."""
