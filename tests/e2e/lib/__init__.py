# SPDX-License-Identifier: Apache-2.0
"""What an end-to-end case imports: from lib import requires, Skip, Events, ..."""

from .case import COUNT_SCALE, TIME_SCALE, Env, Skip, requires, scaled, timeout
from .daemon import Daemon, DaemonError
from .events import Events, EventTimeout
from .processes import Child, exec_id, exec_id_parts, sensor, spawn

__all__ = ["COUNT_SCALE", "Child", "Daemon", "DaemonError", "Env", "Events", "EventTimeout", "Skip", "TIME_SCALE", "exec_id",
           "exec_id_parts", "requires", "scaled", "sensor", "spawn", "timeout"]
