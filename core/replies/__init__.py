"""Strict parsers of replies: the value, or BadReply with the defect; never a default."""

from core.replies.cleaning import BadReply, cleaned, json_in

__all__ = ["BadReply", "cleaned", "json_in"]
