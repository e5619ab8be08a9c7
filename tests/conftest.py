"""What all tests share: hypothesis measures no time, for machines may be busy."""

from hypothesis import settings

settings.register_profile("coffer", deadline=None)
settings.load_profile("coffer")
