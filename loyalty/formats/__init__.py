"""Finland's ways of writing dates, times and numbers, a folder a language (see FORMAT_MODULE_PATH)."""
