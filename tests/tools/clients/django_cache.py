"""Django's own Redis cache and its sessions: `django_cache.py PORT`, run by `interop`."""
import sys

import django
from django.conf import settings

settings.configure(
    CACHES={"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": f"redis://127.0.0.1:{sys.argv[1]}/2"}},
    SESSION_ENGINE="django.contrib.sessions.backends.cache",
    INSTALLED_APPS=["django.contrib.sessions"],
)
django.setup()

from django.contrib.sessions.backends.cache import SessionStore  # noqa: E402 - after setup
from django.core.cache import cache  # noqa: E402

cache.clear()
cache.set("k", {"deep": [1, 2]}, timeout=100)
assert cache.get("k") == {"deep": [1, 2]} and cache.get("none", "else") == "else"
assert cache.add("k", 1) is False and cache.add("new", 1) is True
assert cache.incr("new", 4) == 5 and cache.decr("new") == 4
cache.set_many({"a": 1, "b": 2})
assert cache.get_many(["a", "b", "c"]) == {"a": 1, "b": 2}
assert cache.touch("a", 50) is True and cache.touch("none") is False
assert cache.get_or_set("lazy", lambda: 7) == 7 and cache.has_key("lazy")
cache.delete_many(["a", "b"])
assert cache.get("a") is None and cache.delete("k") is True
cache.set("gone", 1, timeout=0)
assert cache.get("gone") is None

session = SessionStore()
session["user"] = 7
session.save()
assert SessionStore(session.session_key)["user"] == 7
session.flush()
assert "user" not in SessionStore(session.session_key)
