"""Who is ahead: tables of a period or a challenge, under nicknames, among those who want to be seen."""
