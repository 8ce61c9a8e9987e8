import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # for dns_server and tls_peers, which other rooms' tests share
