"""Users, their HTTP sessions and alias tokens (xnat-http.md §1)."""

import secrets
import string
import threading
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from sandbox.xnat.settings import Settings
from sandbox.xnat.store import Store

LOGIN_FAILURE = (
    "Your login attempt failed because the username and password combination you provided was invalid or your user"
    " already has the maximum number of user sessions open."
)
_ADMIN = "admin"
_SECRET_LETTERS = string.ascii_letters + string.digits
_SECRET_LENGTH = 64


@dataclass(frozen=True, slots=True)
class User:
    """Who asks."""

    name: str
    is_admin: bool = False
    is_guest: bool = False


GUEST = User("guest", is_guest=True)


@dataclass(slots=True)
class HttpSession:
    """One JSESSIONID; without a user it is anonymous. `requests` counts those that are being answered."""

    id: str
    user: User | None
    last_access: float
    timeout: float
    requests: int = 0


class LoginFailed(Exception):
    """Wrong name or password, a locked account, or too many sessions: XNAT does not say which."""


class Accounts:
    """Who may log in, and who is.

    Parameters
    ----------
    passwords
        User name → password; `admin` is the administrator.
    """

    def __init__(self, settings: Settings, store: Store, passwords: Mapping[str, str]) -> None:
        self._settings, self._store = settings, store
        self._lock = threading.RLock()
        self._passwords = dict(passwords)
        self._sessions: dict[str, HttpSession] = {}
        self._failures: Counter[str] = Counter()
        self._expired: set[str] = set()

    def add_user(self, name: str, password: str) -> None:
        """Add a user, or change the password of one."""
        with self._lock:
            self._passwords[name] = password
            self._expired.discard(name)

    def expire_password(self, name: str) -> None:
        """Make a user change the password: until then every request is refused (§1.9)."""
        with self._lock:
            self._expired.add(name)

    def has_expired_password(self, user: User) -> bool:
        """Whether a user has to change the password first."""
        return user.name in self._expired

    def user(self, name: str) -> User | None:
        """Return a user by name."""
        return User(name, name == _ADMIN) if name in self._passwords else None

    # logging in

    def log_in(self, name: str, password: str) -> HttpSession:
        """Open a session for a user or an alias token.

        Raises
        ------
        LoginFailed
        """
        user = self._checked(name, password)
        with self._lock:
            self._forget_expired()
            mine = sum(session.user == user for session in self._sessions.values())
            if mine >= self._settings.concurrent_max_sessions:  # §1.6
                raise LoginFailed(LOGIN_FAILURE)
            return self._open(user)

    def _checked(self, name: str, password: str) -> User:
        plain = name.rpartition("/")[2]  # provider/user (§1.1)
        token = self.token(name)
        with self._lock:
            is_locked = self._failures[plain] >= self._settings.max_failed_logins  # §1.14
            known, expected = (token["user"], token["secret"]) if token else (plain, self._passwords.get(plain))
            user = self.user(str(known))
            if user is None or is_locked or expected is None or not secrets.compare_digest(str(expected), password):
                self._failures[plain] += 1
                raise LoginFailed(LOGIN_FAILURE)
            self._failures.pop(plain, None)
            return user

    def open_anonymous(self) -> HttpSession:
        """Open a session of nobody."""
        with self._lock:
            self._forget_expired()
            return self._open(None)

    def _open(self, user: User | None) -> HttpSession:
        now = self._settings.clock.now()
        session = HttpSession(secrets.token_hex(16).upper(), user, now, self._settings.session_timeout)
        self._sessions[session.id] = session
        return session

    # sessions

    def session(self, session_id: str | None) -> HttpSession | None:
        """Return a live session and note that it is used (§1.7)."""
        with self._lock:
            session = self._sessions.get(session_id or "")
            if session is None or self._is_over(session):
                self._sessions.pop(session_id or "", None)
                return None
            session.last_access = self._settings.clock.now()
            return session

    @contextmanager
    def used(self, session: HttpSession) -> Iterator[None]:
        """Keep a session while a request lasts, and count its idle time from the end of the request (§1.7)."""
        with self._lock:
            session.requests += 1
        try:
            yield
        finally:
            with self._lock:
                session.requests -= 1
                session.last_access = self._settings.clock.now()

    def _is_over(self, session: HttpSession) -> bool:
        return not session.requests and self._settings.clock.now() - session.last_access > session.timeout

    def belongs_to(self, session: HttpSession, name: str) -> bool:
        """Whether a session is that of this user, or of this alias token's user (§1.1)."""
        if session.user is None:
            return False
        token = self.token(name)
        return session.user.name == (token["user"] if token else name.rpartition("/")[2])

    def end(self, session_id: str) -> None:
        """Forget a session."""
        with self._lock:
            self._sessions.pop(session_id, None)

    def end_all(self) -> None:
        """Forget all sessions, as a restart does."""
        with self._lock:
            self._sessions.clear()

    def open_sessions(self, name: str) -> int:
        """Return how many sessions a user has open."""
        return len(self.session_ids(name))

    def session_ids(self, name: str) -> list[str]:
        """Return the IDs of a user's open sessions."""
        with self._lock:
            self._forget_expired()
            return [key for key, session in self._sessions.items() if session.user and session.user.name == name]

    def _forget_expired(self) -> None:
        for key in [key for key, session in self._sessions.items() if self._is_over(session)]:
            del self._sessions[key]

    # alias tokens, §1.11

    def issue_token(self, user: User) -> dict[str, object]:
        """Make an alias token and return what XNAT tells of it."""
        alias = str(uuid.uuid4())
        secret = "".join(secrets.choice(_SECRET_LETTERS) for _ in range(_SECRET_LENGTH))
        now = self._settings.clock.now()
        self._store.insert("tokens", alias=alias, secret=secret, user=user.name, issued=now, single_use=0)
        return {
            "alias": alias,
            "secret": secret,
            "xdatUserId": user.name,
            "singleUse": False,
            "estimatedExpirationTime": int((now + self._settings.alias_token_timeout) * 1000),
            "created": int(now * 1000),
            "timestamp": int(now * 1000),
            "enabled": True,
        }

    def token(self, alias: str) -> dict[str, object] | None:
        """Return a token that is still there."""
        return self._store.row("SELECT * FROM tokens WHERE alias = ?", alias)

    def drop_token(self, alias: str) -> None:
        """Make a token unusable; sessions that were opened with it live on."""
        self._store.run("DELETE FROM tokens WHERE alias = ?", alias)

    def sweep_tokens(self) -> None:
        """Delete tokens that are too old: only this ends their life, not their date."""
        oldest = self._settings.clock.now() - self._settings.alias_token_timeout
        self._store.run("DELETE FROM tokens WHERE issued < ?", oldest)
