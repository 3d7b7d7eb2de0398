"""What each port promises, as one suite that runs on the fake and on the adapter with a real server behind it."""
