-- Keys are stored as a keyed hash; `prefix` is what a person sees of one. Times are seconds since 1970.
CREATE TABLE api_keys (
    id TEXT PRIMARY KEY,
    digest TEXT NOT NULL UNIQUE,
    prefix TEXT NOT NULL,
    name TEXT NOT NULL,
    tenant TEXT NOT NULL,
    scopes TEXT NOT NULL,
    allowance TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    revoked_at BIGINT
);

-- One line for each day (UTC), key and task.
CREATE TABLE key_usage (
    day TEXT NOT NULL,
    key_id TEXT NOT NULL,
    task TEXT NOT NULL,
    requests BIGINT NOT NULL,
    failed BIGINT NOT NULL,
    input_tokens BIGINT NOT NULL,
    output_tokens BIGINT NOT NULL,
    PRIMARY KEY (day, key_id, task)
);

CREATE INDEX key_usage_by_key ON key_usage (key_id, day);

-- Single values: the revision of the keys, the check of the secret that hashes them.
CREATE TABLE facts (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
);
