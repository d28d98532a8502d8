"""Uses the page as people do; see tools/page.sh."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from browser import Browser, Failed, browser
from served import ALONE, COPY, ROOT, Served
from stored import Store

SAMPLE = ROOT / "tests/data/sample_en.mp4"
WIDE, NARROW = (1280, 900), (390, 844)


def text(page: Browser, selector: str) -> str:
    return str(page.eval(f"document.querySelector({selector!r})?.innerText ?? ''"))


def click(page: Browser, selector: str) -> None:
    page.eval(f"document.querySelector({selector!r}).click()")


def check(fact: object, what: str) -> None:
    if not fact:
        raise Failed(what)


class Use:
    """One use of the page, with pictures of it."""

    def __init__(self, page: Browser, pictures: Path | None) -> None:
        self.page = page
        self.pictures = pictures

    def picture(self, name: str) -> None:
        """Looks at the page as it is on a wide screen and on a narrow one: nothing sticks out."""
        for width, height in (NARROW, WIDE):
            self.page.resize(width, height)
            # What is laid out anew takes a frame or two.
            self.page.until(f"document.documentElement.scrollWidth <= {width}", f"{name}: nothing sticks out of {width} px", 10)
            if self.pictures:
                time.sleep(0.15)
                self.page.picture(self.pictures / f"{name}-{width}.png")
        check(not (nameless := self.page.unnamed()), f"{name}: without a name: {nameless}")

    def hand_in(self, file: Path, *languages: str) -> None:
        """Chooses a file and languages, and sends them."""
        page = self.page
        page.until("!document.getElementById('drop').hidden", "a place for files")
        page.choose("#file", file)
        page.until("!document.getElementById('chosen').hidden", "the file that was chosen")
        page.eval(f"document.querySelectorAll('#pills input').forEach((box) => box.checked = {list(languages)}.includes(box.value))")
        click(page, "#translate")

    def jobs(self, status: str, count: int) -> None:
        """Waits until so many jobs have this status."""
        self.page.until(
            f"document.querySelectorAll('#job-rows [data-state={status}]').length === {count}", f"{count} jobs: {status}"
        )

    def watch(self) -> None:
        """Watches a translation beside its original."""
        page = self.page
        click(page, "#job-rows .actions button")
        page.until("!document.getElementById('player').hidden", "the player")
        check(page.eval("document.activeElement.id") == "player", "the focus is not where something new is")
        for which in ("translated", "original"):
            video = f"document.getElementById('{which}')"
            page.until(f"{video}.readyState >= 2", f"the video: {which}: {text(page, f'#{which}-fault')}")
            check(abs(float(page.eval(f"{video}.duration")) - 16.2) < 1, f"{which}: its length")
            page.eval(f"{video}.play()")
            page.until(f"{video}.currentTime > 0.3", f"{which} plays")
        check(page.eval("document.getElementById('translated').paused"), "both play at once")
        page.eval("document.getElementById('original').pause(); document.getElementById('translated').currentTime = 6")
        page.until("document.getElementById('translated').currentTime === 6", "it goes where it is asked to")
        self.subtitles()

    def subtitles(self) -> None:
        """Chooses subtitles."""
        page = self.page
        page.until("!document.getElementById('subtitles-field').hidden", "subtitles to choose")
        page.eval(
            "(() => { const all = document.getElementById('subtitles'); all.value = all.lastElementChild.value;"
            " all.dispatchEvent(new Event('change')); })()"
        )
        track = "document.getElementById('translated').textTracks[0]"
        page.until(f"{track}.mode === 'showing' && {track}.cues?.length > 0", "subtitles that are read")


def by_hand(use: Use, home: Path) -> None:
    """The whole way, over a connection that breaks."""
    served = Served(home / "open")
    page = use.page
    page.resize(*WIDE)
    page.open(served.url + "/")
    page.until("!document.getElementById('drop').hidden", "a place for files")
    use.picture("empty")
    # Slow enough to be watched and broken, and then as fast as it goes.
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1}
    page.do("Network.emulateNetworkConditions", uploadThroughput=SAMPLE.stat().st_size / 60, **slow)
    use.hand_in(SAMPLE, "es", "fr")
    page.until("/left/.test(document.getElementById('sending-text').innerText)", "the time that is left")
    use.picture("sending")
    end = time.monotonic() + 90
    while (come := served.received()) == 0:
        check(time.monotonic() < end, "nothing comes")
    served.kill()
    page.until("/broke/.test(document.getElementById('sending-text').innerText)", "word of the break")
    page.do("Network.emulateNetworkConditions", uploadThroughput=-1, **slow)
    served.start()
    page.until("document.getElementById('sending').hidden", "the end of the upload")
    check(not text(page, "#new-fault"), text(page, "#new-fault"))
    print(f"page: an upload went on after {come} of {SAMPLE.stat().st_size} bytes")
    use.jobs("completed", 2)
    check("sample_en.mp4" in text(page, "#job-rows"), "the file's name")
    page.faults.clear()
    use.watch()
    use.picture("watching")
    page.press("Escape")
    check(page.eval("document.getElementById('player').hidden"), "Escape closes the player")
    check(page.eval("document.activeElement.innerText") == "Watch", "the focus goes back")
    saved = page.eval(
        "fetch(document.querySelector('#job-rows a.button').href).then(async (answer) =>"
        " [answer.status, answer.headers.get('content-disposition'), (await answer.blob()).size])"
    )
    check(saved[0] == 200 and "attachment" in saved[1] and saved[2] > 1000, f"it can be saved: {saved}")
    # What is no video fails with a sentence, and can be tried again.
    (home / "text.mp4").write_text("This is no video.\n" * 100)
    use.hand_in(home / "text.mp4", "es")
    use.jobs("error", 1)
    check("not a video" in text(page, "#job-rows"), "why it failed")
    use.picture("failed")
    page.eval("[...document.querySelectorAll('#job-rows button')].find((b) => b.innerText === 'Try again').click()")
    use.jobs("error", 2)
    by_keyboard(page)
    served.kill()


def by_keyboard(page: Browser) -> None:
    """All of the form is reached with the keyboard, in the order in which it is read, and works."""
    page.eval("document.getElementById('url-field').querySelector('input').focus()")
    passed = []
    for _ in range(16):
        passed.append(page.eval("document.activeElement.id || document.activeElement.value"))
        page.press("Tab")
    check(passed[0] == "video_url" and passed[1] == "es" and passed[13:15] == ["other", "translate"], f"in turn: {passed}")
    page.eval("document.querySelector('#pills input[value=it]').focus()")
    page.press(" ", " ")
    check(page.eval("document.querySelector('#pills input[value=it]').checked"), "the space bar chooses a language")
    page.eval("document.getElementById('other').focus()")
    page.type("galician")
    page.press("Enter", "\r")
    check(page.eval("document.querySelector('#pills input[value=gl]')?.checked"), "a language by its name")
    page.type("Klingonese")
    page.press("Enter", "\r")
    check("Klingonese" in text(page, "#languages-fault"), "what is no language is said")
    page.eval("document.getElementById('other').value = ''")
    click(page, "#translate")
    page.until("document.activeElement.id === 'video_url'", "the field that is missing")
    check("Choose a video" in text(page, "#video_url-fault"), "what is missing is said")


def dropped(use: Use, home: Path) -> None:
    """A file that is dragged here and let go is chosen."""
    served = Served(home / "dropped")
    page = use.page
    page.resize(*WIDE)
    page.open(served.url + "/")
    page.until("!document.getElementById('drop').hidden", "a place for files")
    page.drop("#drop", SAMPLE, SAMPLE)
    page.until("/One video at a time/.test(document.getElementById('file-fault').innerText)", "a word about two files")
    check(page.eval("document.getElementById('chosen').hidden"), "none of two is chosen")
    page.drop("#drop", SAMPLE)
    page.until("!document.getElementById('chosen').hidden", "the file that was let go")
    check(text(page, "#chosen-name") == SAMPLE.name and not text(page, "#file-fault"), "which file it is")
    check(page.eval("document.activeElement.id") == "unchoose", "the focus is where the file is")
    check(page.eval("document.getElementById('drop').dataset.over") == "false", "nothing is over it any more")
    # Anywhere on the page will do, and the page stays.
    click(page, "#unchoose")
    page.drop("h1", SAMPLE)
    page.until("!document.getElementById('chosen').hidden", "the file that was let go beside it")
    page.eval("document.querySelectorAll('#pills input').forEach((box) => box.checked = box.value === 'es')")
    click(page, "#translate")
    use.jobs("completed", 1)
    served.kill()


def stored(use: Use, home: Path) -> None:
    """The whole way where videos lie in an object store, which sends and gets them itself; and a key is needed."""
    store = Store(home / "store")
    key = "open-sesame"
    served = Served(
        home / "stored", "--api-key", key, "--media", "s3://media/page", command=COPY, variables=store.variables()
    )
    page = use.page
    page.open(served.url + "/")
    page.until("!document.getElementById('locked').hidden", "the question for the key")
    page.eval("document.getElementById('key').focus()")
    page.type(key)
    page.press("Enter", "\r")
    use.hand_in(SAMPLE, "es")
    # What the store does not allow is said, and by whom it can be changed.
    page.until("/CORS/.test(document.getElementById('new-fault').innerText)", "a word about what the store allows")
    use.picture("stored-refused")
    page.faults.clear()
    store.allow(served.url)
    click(page, "#translate")
    use.jobs("completed", 1)
    use.watch()
    use.picture("stored")
    from_store = [path for method, path, _ in store.asked if method == "GET" and "X-Amz-Signature" in path]
    check(len(set(path.split("?")[0] for path in from_store)) == 2, f"both videos come from the store: {from_store}")
    page.press("Escape")
    # One that goes in parts, of which one breaks on its way.
    large = home / "large.mp4"
    free = 70 << 20
    large.write_bytes(SAMPLE.read_bytes() + free.to_bytes(4, "big") + b"free" + bytes(free - 8))
    store.cuts = 1
    use.hand_in(large, "fr")
    use.jobs("completed", 2)
    parts = [path for method, path, _ in store.asked if method == "PUT" and "partNumber=" in path]
    check(len(parts) == 6, f"five parts, and one again: {len(parts)}")
    use.watch()
    # The key is the server's business alone.
    told = [fields for _, _, fields in store.asked if "authorization" in fields or key in str(fields)]
    check(store.asked and not told, f"the store is told the key: {told}")
    policy = page.eval("fetch('.').then((answer) => answer.headers.get('content-security-policy'))")
    for allowed in (f"connect-src 'self' {store.url};", f"media-src 'self' blob: {store.url};"):
        check(allowed in policy, f"{allowed} {policy}")
    check(policy.count("http") == 2, f"no other origin: {policy}")
    served.kill()
    store.close()


def refused(use: Use, home: Path) -> None:
    """What is too large is said in words."""
    served = Served(home / "small", "--upload-bytes-max", "1000")
    use.page.open(served.url + "/")
    use.hand_in(SAMPLE, "es")
    use.page.until("document.getElementById('new-fault').innerText", "a word about it")
    said = text(use.page, "#new-fault")
    check("more than this server takes" in said, said)
    use.page.faults.clear()
    served.kill()


def with_key(use: Use, home: Path) -> None:
    """The same where a key is needed."""
    served = Served(home / "locked", "--api-key", "open-sesame")
    page = use.page
    page.open(served.url + "/")
    page.until("!document.getElementById('locked').hidden", "the question for the key")
    page.eval("document.getElementById('key').focus()")
    page.type("open-sesame")
    page.press("Enter", "\r")
    page.until("document.getElementById('locked').hidden", "the page behind it")
    page.faults.clear()
    use.hand_in(SAMPLE, "es")
    use.jobs("completed", 1)
    use.watch()
    # Links that were given are void with another key for them; who has a key of the server's plays all the same.
    served.kill()
    (served.home / "data/media/link-key").unlink()
    served.start()
    page.open(served.url + "/")
    use.jobs("completed", 1)
    use.watch()
    served.kill()


def shared(use: Use, home: Path) -> None:
    """Who has the records, where several servers share them."""
    served = Served(home / "shared")
    page = use.page
    figures = "dubhook_store_owner {}\ndubhook_store_up {}\ndubhook_store_epoch 7\ndubhook_jobs_processing 0\n"
    page.open(served.url + "/")
    page.until("document.getElementById('figure-owed').innerText === '0'", "figures")
    check(page.eval("document.getElementById('records').hidden"), "a store that nobody shares has no owner to show")
    for owns, answers, said in ((1, 1, "Owns the records"), (0, 1, "Stands by"), (1, 0, "The database is away")):
        page.answer("*/metrics", figures.format(owns, answers))
        page.until(f"document.getElementById('records').innerText.startsWith('{said}')", said)
    use.picture("shared")
    page.do("Fetch.disable")
    served.kill()


def main() -> int:
    pictures = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    if pictures:
        pictures.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="dubhook-page-") as home, browser() as page:
        use = Use(page, pictures)
        for part in (by_hand, dropped, refused, with_key, shared, stored):
            try:
                part(use, Path(home))
            except Failed as failed:
                if pictures:
                    page.picture(pictures / "failed-here.png")
                print(f"page: FAILED: {part.__name__}: {failed}", file=sys.stderr)
                return 1
            strangers = [url for url in page.asked if not url.startswith((f"http://{ALONE}:", "blob:", "data:", "about:"))]
            check(not strangers, f"asked elsewhere: {strangers}")
            if page.faults:
                print(f"page: FAILED: {part.__name__}: {page.faults}", file=sys.stderr)
                return 1
            print(f"page: {part.__name__}: passed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
