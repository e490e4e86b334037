"""Benchmarks: `python -m benchmarks` prints what RecallQL costs beside what it could be replaced by.

Numerical libraries use one thread here, as in the service.
"""

from graph.enrichment.models import use_one_thread

use_one_thread()
