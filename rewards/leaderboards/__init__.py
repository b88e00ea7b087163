"""Who is ahead, among those who want to be seen: scores in PostgreSQL, ranks from Redis."""
