"""Corrections -> candidate -> gate."""
