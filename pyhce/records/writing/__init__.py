"""Resources to the homes where they belong, each with its history."""
