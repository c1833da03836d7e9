"""Weeks in the life of the application, played in virtual time: its schedules, its state machines and its people."""
