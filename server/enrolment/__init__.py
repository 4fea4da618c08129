"""Enrolment of many at once, and of everybody anew when the model pack changes."""
