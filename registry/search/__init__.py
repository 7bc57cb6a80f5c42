"""What is found by words, types and capabilities."""
