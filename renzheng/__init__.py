"""Renzheng 人证: was the insured person there when the card was used?"""

__version__ = "0.1.0"
