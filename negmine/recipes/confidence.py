"""How sure an absence is by default: one number for Python, pool.toml and the flags alike.

Imports nothing, so that the command line may read it.
"""

from __future__ import annotations

VERIFIED = 1.0
EXTERNAL = 0.99
SYNTHETIC = 1.0

# Of a known call whose band was removed, or replaced by a donor's. An audit found every eighth call
# to have most of its energy outside its box's band, widened by a quarter.
ERASED = 0.87

AGREED = 0.95

# A clip that reaches beyond a rejected box keeps this share of its confidence for each second
# outside. The default follows audits of real soundscapes with dense calls: rejected boxes cut as
# clips of 2 s were wrong in 1.3 % of cases, as clips of 5 s in 4.3 %.
BEYOND_BOX_PER_S = 0.99
