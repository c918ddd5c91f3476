"""Speed and accuracy, run by hand: timing has no place in a test."""
