"""One token of each sort that a gateway must take or refuse, made by PyJWT: JSON on standard output.

Issuers: `wide` takes every asymmetric algorithm of the keys below, `narrow` only ES256 of the same keys, `shared` has
the secret below, `long` the long one.
"""

import base64
import hashlib
import hmac
import json
import secrets
import time

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

NOW = int(time.time())
SECRET = secrets.token_hex(16)
LONG = secrets.token_hex(32)
OCT = secrets.token_bytes(32)
RSA = rsa.generate_private_key(65537, 2048)
RSA_1024 = rsa.generate_private_key(65537, 1024)
EC = ec.generate_private_key(ec.SECP256R1())
EC_384 = ec.generate_private_key(ec.SECP384R1())
ED = ed25519.Ed25519PrivateKey.generate()
FOREIGN = ec.generate_private_key(ec.SECP256R1())
CLAIMS = {"iss": "https://wide.example", "aud": "orders", "sub": "alice", "exp": NOW + 3600, "iat": NOW, "nbf": NOW}

tokens = {}


def encode(value):
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def add(name, token, issuer="wide"):
    tokens[name] = {"issuer": issuer, "token": token}


def signed(claims, key=EC, algorithm="ES256", kid="ec", headers=None):
    payload = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    headers = {"kid": kid, "typ": "JWT"} | (headers or {})
    return jwt.PyJWS(algorithms=None).encode(payload, key, algorithm=algorithm, headers=headers)


def with_claims(**changes):
    return {name: value for name, value in (CLAIMS | changes).items() if value is not ...}


def by_hmac(key, header, claims):
    message = f"{encode(header)}.{encode(claims)}"
    return f"{message}.{encode(hmac.new(key, message.encode(), hashlib.sha256).digest())}"


# Without a fault.
for algorithm in ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]:
    add(f"good: {algorithm}", signed(CLAIMS, RSA, algorithm, "rsa"))
add("good: ES256", signed(CLAIMS))
add("good: ES384", signed(CLAIMS, EC_384, "ES384", "ec-384"))
add("good: EdDSA", signed(CLAIMS, ED, "EdDSA", "ed"))
add("good: a list of audiences", signed(with_claims(aud=["billing", "orders"])))
add("good: no kid", jwt.encode(CLAIMS, EC, algorithm="ES256"))
add("good: fractions of seconds", signed(with_claims(exp=NOW + 3600.5, nbf=NOW - 0.5)))
narrow = with_claims(iss="https://narrow.example")
add("good: narrow", signed(narrow), "narrow")
shared = with_claims(iss="https://shared.example")
add("good: HS256", signed(shared, SECRET, "HS256", "any"), "shared")
for algorithm in ["HS384", "HS512"]:
    add(f"good: {algorithm}", signed(with_claims(iss="https://long.example"), LONG, algorithm, "any"), "long")

# The algorithm.
add("alg none", jwt.encode(CLAIMS, None, algorithm="none"))
add("alg none, signature kept", f"{encode({'alg': 'none', 'kid': 'ec'})}.{signed(CLAIMS).split('.', 1)[1]}")
add("alg unknown", f"{encode({'alg': 'ES257', 'kid': 'ec'})}.{signed(CLAIMS).split('.', 1)[1]}")
add("alg foreign to the issuer", signed(narrow, RSA, "RS256", "rsa"), "narrow")
pem = RSA.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
der = RSA.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
add("HMAC with the public key (PEM)", by_hmac(pem, {"alg": "HS256", "kid": "rsa"}, CLAIMS))
add("HMAC with the public key (DER)", by_hmac(der, {"alg": "HS256", "kid": "rsa"}, CLAIMS))
add("alg of another key", f"{encode({'alg': 'RS256', 'kid': 'rsa'})}.{signed(CLAIMS).split('.', 1)[1]}")
add("asymmetric with a shared secret", signed(shared, EC, "ES256", "ec"), "shared")

# A header that brings a key, or the address of one.
own = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(FOREIGN.public_key()))
add("jwk", signed(CLAIMS, FOREIGN, headers={"jwk": own}))
add("jwk of the right key", signed(CLAIMS, headers={"jwk": json.loads(jwt.algorithms.ECAlgorithm.to_jwk(EC.public_key()))}))
add("jku", signed(CLAIMS, headers={"jku": "https://wide.example/keys"}))
add("x5u", signed(CLAIMS, headers={"x5u": "https://wide.example/cert"}))
add("x5c", signed(CLAIMS, headers={"x5c": ["AAAA"]}))
add("crit", signed(CLAIMS, headers={"crit": ["exp"], "exp": NOW}))
add("kid is no text", f"{encode({'alg': 'ES256', 'kid': 7})}.{signed(CLAIMS).split('.', 1)[1]}")
add("kid unknown", signed(CLAIMS, kid="nobody"))

# Members twice.
payload = json.dumps(CLAIMS)
add("a claim twice", signed((payload[:-1] + ', "sub": "mallory"}').encode()))
add("a nested member twice", signed((payload[:-1] + ', "a": {"b": 1, "b": 2}}').encode()))
TWICE = b'{"alg": "ES256", "kid": "ec", "alg": "ES256"}'
message = f"{encode(TWICE)}.{encode(CLAIMS)}"
add("a header parameter twice", f"{message}.{encode(jwt.algorithms.ECAlgorithm(jwt.algorithms.ECAlgorithm.SHA256).sign(message.encode(), EC))}")

# Claims missing, or of a wrong type.
for name, wrong in {
    "iss": [..., None, 7, ["https://wide.example"], "https://wide.example/", "https://other.example"],
    "aud": [..., None, 7, [], ["orders", 7], {"orders": 1}, "billing", ["billing"], "orders "],
    "exp": [..., None, str(NOW + 3600), True, [NOW + 3600]],
    "nbf": [None, str(NOW), True, NOW + 3600],
    "iat": [None, str(NOW), NOW + 3600],
    "sub": [..., None, 7, "", "x" * 300],
    "scope": [7, "a\\b", ["a b"], [7]],
}.items():
    for value in wrong:
        add(f"{name}: {'missing' if value is ... else json.dumps(value)[:60]}", signed(with_claims(**{name: value})))
add("no claims at all", signed(b"[]"))
add("no JSON", signed(b"claims"))
add("claims in Latin-1", signed('{"iss": "é"}'.encode("latin-1")))

# Keys.
add("RSA of 1024 bits", signed(CLAIMS, RSA_1024, "RS256", "rsa-1024"))
add("a symmetric key of the set", signed(CLAIMS, OCT, "HS256", "oct"))
add("a foreign key", signed(CLAIMS, FOREIGN))
add("a secret shorter than its hash", signed(shared, SECRET, "HS512", "any"), "shared")
add("another secret", signed(shared, SECRET[::-1] + "x", "HS256", "any"), "shared")
add("the signature of other claims", f"{signed(CLAIMS).rsplit('.', 1)[0]}.{signed(narrow).rsplit('.', 1)[1]}")

# The same bytes in another form.
add("padded", f"{signed(CLAIMS)}=")
add("four parts", f"{signed(CLAIMS)}.AAAA")
add("two parts", signed(CLAIMS).rsplit(".", 1)[0])
add("no signature", f"{signed(CLAIMS).rsplit('.', 1)[0]}.")
add("blanks", signed(CLAIMS).replace(".", ". "))
add("too long", signed(with_claims(filler="x" * 17_000)))

# Expired: the client is told so only where that is all that is wrong.
over = with_claims(exp=NOW - 3600)
add("expired", signed(over))
add("expired, its signature another's", signed(over, FOREIGN))
add("expired, its signature cut", signed(over)[:-4])
add("expired, of another secret", signed(over | {"iss": shared["iss"]}, SECRET[::-1] + "x", "HS256", "any"), "shared")
add("expired, for another audience", signed(over | {"aud": "billing"}))
add("expired, without an audience", signed({name: value for name, value in over.items() if name != "aud"}))
add("expired, without a consumer", signed(over | {"sub": None}))

with_kid = lambda jwk, kid: json.loads(jwk) | {"kid": kid}
jwks = [
    with_kid(jwt.algorithms.RSAAlgorithm.to_jwk(RSA.public_key()), "rsa"),
    with_kid(jwt.algorithms.ECAlgorithm.to_jwk(EC.public_key()), "ec"),
    with_kid(jwt.algorithms.ECAlgorithm.to_jwk(EC_384.public_key()), "ec-384"),
    with_kid(jwt.algorithms.OKPAlgorithm.to_jwk(ED.public_key()), "ed"),
    with_kid(jwt.algorithms.RSAAlgorithm.to_jwk(RSA_1024.public_key()), "rsa-1024"),
    {"kty": "oct", "kid": "oct", "alg": "HS256", "k": encode(OCT)},
]
print(json.dumps({"jwks": {"keys": jwks}, "secret": SECRET, "long_secret": LONG, "tokens": tokens}))
