"""
Take a picture in headless Chromium, of a page or of a flight that fly --save-view kept.

screenshot.py URL FILE.png SECONDS [WxH]
screenshot.py --flight FLIGHT.rrd FILE.png SECONDS [WxH]
"""

import base64
from collections.abc import Iterator
import contextlib
import io
import json
import os
from pathlib import Path
import signal
import subprocess
import sys
import tempfile
import time
from typing import Any

from PIL import Image

from rapid_nav.ports import free_port

# Software rendering, and none of Chromium's own errands on the network.
FLAGS = (
    '--headless=new',
    '--no-sandbox',
    '--no-first-run',
    '--disable-quic',
    '--disable-sync',
    '--disable-background-networking',
    '--disable-component-update',
    '--use-gl=angle',
    '--use-angle=swiftshader',
    '--enable-unsafe-swiftshader',
    '--ignore-gpu-blocklist',
    '--hide-scrollbars',
    '--remote-debugging-pipe',
)


class Browser:
    """A context: Chromium, asked over a pipe in its DevTools protocol."""

    def __enter__(self) -> 'Browser':
        """Start it."""
        self.profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        asked, self.ask = os.pipe()
        self.hear, heard = os.pipe()
        self.process = subprocess.Popen(
            [
                'bash',
                '-c',
                f'exec chromium "$@" 3<&{asked} 4>&{heard}',
                'chromium',
                *FLAGS,
                f'--user-data-dir={self.profile.name}',
            ],
            pass_fds=(asked, heard),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(asked)
        os.close(heard)
        self.count, self.rest = 0, b''
        return self

    def __exit__(self, *_exception: object) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(10)
        self.profile.cleanup()

    def call(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """Return what a method answers."""
        self.count += 1
        message = {'id': self.count, 'method': method, 'params': parameters}
        message |= {'sessionId': session} if session else {}
        os.write(self.ask, json.dumps(message).encode() + b'\0')
        while True:
            while b'\0' not in self.rest:
                part = os.read(self.hear, 1 << 20)
                if not part:
                    raise RuntimeError('Chromium has gone; apt install chromium if it is missing')
                self.rest += part
            text, self.rest = self.rest.split(b'\0', 1)
            answer = json.loads(text)
            if answer.get('id') == self.count:
                if 'error' in answer:
                    raise RuntimeError(f'{method}: {answer["error"]["message"]}')
                return answer['result']


def screenshot(url: str, path: Path, seconds: float, width: int, height: int) -> None:
    """Open a page, give it some time, and keep what it shows."""
    with Browser() as browser:
        target = browser.call('Target.createTarget', url='about:blank')['targetId']
        session = browser.call('Target.attachToTarget', targetId=target, flatten=True)['sessionId']
        browser.call(
            'Emulation.setDeviceMetricsOverride',
            session,
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        browser.call('Page.navigate', session, url=url)
        time.sleep(seconds)
        seen = browser.call('Page.captureScreenshot', session, format='png')
    picture = Image.open(io.BytesIO(base64.b64decode(seen['data']))).convert('RGB')
    picture.quantize(256, kmeans=2, dither=Image.Dither.NONE).save(path, optimize=True)


@contextlib.contextmanager
def viewer(flight: str) -> Iterator[str]:
    """Serve a kept flight and yield the address of its page."""
    rerun, data, page = str(Path(sys.executable).with_name('rerun')), free_port(), free_port()
    optimized = Path(flight).with_suffix('.optimized.rrd')  # without a GPU, few chunks load faster
    with optimized.open('wb') as file:
        subprocess.run(
            [rerun, 'rrd', 'optimize', flight], stdout=file, stderr=subprocess.DEVNULL, check=True
        )
    server = subprocess.Popen(
        [
            rerun,
            '--serve-web',
            '--bind',
            '127.0.0.1',
            '--port',
            str(data),
            '--web-viewer-port',
            str(page),
            str(optimized),
        ],
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        time.sleep(3.0)
        yield f'http://127.0.0.1:{page}/?url=rerun%2Bhttp://127.0.0.1:{data}/proxy'
    finally:
        os.killpg(server.pid, signal.SIGTERM)  # it has a child
        server.wait(10)


def main(arguments: list[str]) -> None:
    """Take the picture that is asked for."""
    of_flight = arguments[0] == '--flight'
    page, file, wait, *size = arguments[of_flight:]
    wide, high = (int(side) for side in (size[0] if size else '1400x900').split('x'))
    with viewer(page) if of_flight else contextlib.nullcontext(page) as url:
        screenshot(url, Path(file), float(wait), wide, high)


if __name__ == '__main__':
    main(sys.argv[1:])
