# SPDX-License-Identifier: Apache-2.0
"""What an end-to-end case imports: from lib import requires, Skip, Events, ..."""

from .case import Env, Skip, requires, timeout
from .daemon import Daemon, DaemonError
from .events import Events, EventTimeout

__all__ = ["Daemon", "DaemonError", "Env", "Events", "EventTimeout", "Skip", "requires", "timeout"]
