import os, pytest
from pathlib import Path
from tests.browser.gallery import hang
from tests.browser.conftest import WIDE, PHONE

OUT = Path("/tmp/bw/gallery")
OUT.mkdir(exist_ok=True)


def test_shots(signed_in, make, importing, open_browser, site):
    pages = hang(make, importing)
    only = os.environ.get("ONLY")
    for kind, opts in {
        "wide": dict(viewport=WIDE),
        "phone": dict(viewport=PHONE),
        "dark": dict(viewport=WIDE, color_scheme="dark"),
        "phonedark": dict(viewport=PHONE, color_scheme="dark"),
    }.items():
        if os.environ.get("KINDS") and kind not in os.environ["KINDS"].split(","):
            continue
        page = signed_in("olive", **opts)
        for name, path in pages.items():
            if only and name not in only.split(";"):
                continue
            page.goto(path)
            page.screenshot(path=OUT / f"{kind} {name}.png", full_page=not name.startswith("calls"))
            if name == "set up":
                page.get_by_label("How many digits").fill("4")
                page.get_by_role("button", name="See what changes").click()
                page.wait_for_load_state()
                page.screenshot(path=OUT / f"{kind} compare.png", full_page=True)
            if name == "new phone system":
                page.get_by_label("Name").evaluate("e=>e.removeAttribute('required')")
                page.get_by_role("button", name="Add and choose").click()
                page.wait_for_load_state()
                page.screenshot(path=OUT / f"{kind} new wrong.png", full_page=True)
        if not only:
            q = signed_in("quentin", **opts)
            for name in ("", "calls", "phone-systems", "imports", "phone-systems/new"):
                q.goto("/o/quayside/" + name)
                q.screenshot(path=OUT / f"{kind} empty {name.replace('/', '-')}.png", full_page=True)
            n = signed_in("nora", **opts)
            n.goto("/")
            n.screenshot(path=OUT / f"{kind} nora.png")
            v = signed_in("vera", **opts)
            v.goto("/o/harbour/phone-systems/new")
            v.screenshot(path=OUT / f"{kind} 403.png")
            v.goto("/o/harbour/phone-systems")
            v.screenshot(path=OUT / f"{kind} vera systems.png")
            o = open_browser(**opts)
            o.goto("/sign-in")
            o.get_by_label("E-mail").fill("a@b.c")
            o.get_by_label("Password").fill("wrong wrong")
            o.get_by_role("button", name="Sign in").click()
            o.wait_for_load_state()
            o.screenshot(path=OUT / f"{kind} signin wrong.png")
