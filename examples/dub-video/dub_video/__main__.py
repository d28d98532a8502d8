import sys

from dub_video.main import main

sys.exit(main())
