"""Motor's classes, without what Motor may say about itself."""

from __future__ import annotations

import warnings

with warnings.catch_warnings():
    # Motor is past its end of life, which a later release may say at its import: an operator can't change that.
    warnings.simplefilter("ignore")
    from motor.motor_asyncio import AsyncIOMotorChangeStream, AsyncIOMotorClient, AsyncIOMotorClientSession

__all__ = ["AsyncIOMotorChangeStream", "AsyncIOMotorClient", "AsyncIOMotorClientSession"]
