"""Browsers and networks in plain words."""

import pytest

from webapp.accounts.browsers import describe_browser, describe_network


@pytest.mark.parametrize(
    ("user_agent", "words"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", "Firefox on Linux"),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/126.0 Safari/537.36",
            "Chrome on Windows",
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36 Edg/126.0",
            "Edge on Windows",
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36 OPR/110.0",
            "Opera on Windows",
        ),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 "
            "Safari/605.1.15",
            "Safari on Mac",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
            "Version/17.5 Mobile/15E148 Safari/604.1",
            "Safari on iPhone",
        ),
        ("Mozilla/5.0 (iPad; CPU OS 17_5 like Mac OS X) CriOS/126.0 Mobile/15E148 Safari/604.1", "Chrome on iPad"),
        (
            "Mozilla/5.0 (Linux; Android 14; SM-S921B) SamsungBrowser/25.0 Chrome/121.0 Mobile Safari/537.36",
            "Samsung Internet on Android",
        ),
        ("Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) Chrome/126.0 Safari/537.36", "Chrome on Chromebook"),
        ("Mozilla/5.0 (Windows NT 10.0) Something/1.0", "a browser on Windows"),
        ("curl/8.5.0", "curl"),
        ("<script>alert(1)</script>\r\nX: y", "an unknown browser"),
        ("", "an unknown browser"),
    ],
)
def test_a_browser_in_words(user_agent: str, words: str) -> None:
    assert describe_browser(user_agent) == words


@pytest.mark.parametrize(
    ("network", "words"),
    [
        ("127.0.0.1", "This computer itself"),
        ("::/64", "This computer itself"),
        ("192.168.1.20", "Private network 192.168.1.20"),
        ("10.0.0.1", "Private network 10.0.0.1"),
        ("fd00:1:2:3::/64", "Private network fd00:1:2:3::/64"),
        ("81.2.69.142", "IPv4 network 81.2.69.142"),
        ("198.51.100.7", "IPv4 network 198.51.100.7"),
        ("2001:db8:1:2::/64", "IPv6 network 2001:db8:1:2::/64"),
        ("unknown", "An unknown network"),
        ("", "An unknown network"),
    ],
)
def test_a_network_in_words(network: str, words: str) -> None:
    assert describe_network(network) == words
