CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL,
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
)

CREATE TABLE datasets (
	name TEXT NOT NULL,
	source BLOB NOT NULL,
	figures BLOB NOT NULL,
	salt BLOB NOT NULL,
	fingerprint TEXT NOT NULL,
	added_milliseconds INTEGER NOT NULL,
	CONSTRAINT pk_datasets PRIMARY KEY (name)
)

CREATE TABLE invitations (
	number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	address TEXT NOT NULL,
	state TEXT NOT NULL,
	wrong_codes INTEGER NOT NULL,
	created_milliseconds INTEGER NOT NULL,
	expires_milliseconds INTEGER NOT NULL
)

CREATE TABLE job_early_letters (
	number INTEGER NOT NULL,
	job_id TEXT NOT NULL,
	node TEXT NOT NULL,
	kind TEXT NOT NULL,
	body BLOB NOT NULL,
	at_milliseconds INTEGER NOT NULL,
	CONSTRAINT pk_job_early_letters PRIMARY KEY (number)
)

CREATE INDEX ix_job_early_letters_job_id ON job_early_letters (job_id)

CREATE INDEX ix_job_early_letters_node ON job_early_letters (node)

CREATE TABLE jobs (
	id TEXT NOT NULL,
	contract BLOB NOT NULL,
	digest TEXT NOT NULL,
	service TEXT NOT NULL,
	created_milliseconds INTEGER NOT NULL,
	rank INTEGER NOT NULL,
	proposer_rank INTEGER NOT NULL,
	state TEXT NOT NULL,
	opened_milliseconds INTEGER NOT NULL,
	expires_milliseconds INTEGER NOT NULL,
	began_milliseconds INTEGER,
	attempt INTEGER NOT NULL,
	ended_milliseconds INTEGER,
	cause TEXT NOT NULL,
	remedy TEXT NOT NULL,
	summary TEXT NOT NULL,
	files TEXT NOT NULL,
	row_counts TEXT NOT NULL,
	progress TEXT NOT NULL,
	CONSTRAINT pk_jobs PRIMARY KEY (id)
)

CREATE TABLE letters_out (
	peer TEXT NOT NULL,
	number INTEGER NOT NULL,
	kind TEXT NOT NULL,
	body BLOB NOT NULL,
	written_milliseconds INTEGER NOT NULL,
	CONSTRAINT pk_letters_out PRIMARY KEY (peer, number)
)

CREATE TABLE mailboxes (
	peer TEXT NOT NULL,
	written INTEGER NOT NULL,
	received INTEGER NOT NULL,
	last_refusal TEXT NOT NULL,
	CONSTRAINT pk_mailboxes PRIMARY KEY (peer)
)

CREATE TABLE peers (
	node_id TEXT NOT NULL,
	name TEXT NOT NULL,
	certificate BLOB NOT NULL,
	address TEXT NOT NULL,
	introduced_address TEXT NOT NULL,
	version TEXT NOT NULL,
	state TEXT NOT NULL,
	pairing TEXT NOT NULL,
	authentication_string TEXT NOT NULL,
	owes_farewell BOOLEAN NOT NULL,
	changed_milliseconds INTEGER NOT NULL,
	last_seen_milliseconds INTEGER NOT NULL,
	CONSTRAINT pk_peers PRIMARY KEY (node_id),
	CONSTRAINT uq_peers_name UNIQUE (name)
)

CREATE TABLE published (
	peer TEXT NOT NULL,
	name TEXT NOT NULL,
	description BLOB NOT NULL,
	received_milliseconds INTEGER NOT NULL,
	CONSTRAINT pk_published PRIMARY KEY (peer, name)
)

CREATE TABLE job_events (
	number INTEGER NOT NULL,
	job_id TEXT NOT NULL,
	at_milliseconds INTEGER NOT NULL,
	state TEXT NOT NULL,
	text TEXT NOT NULL,
	CONSTRAINT pk_job_events PRIMARY KEY (number),
	CONSTRAINT fk_job_events_job_id_jobs FOREIGN KEY(job_id) REFERENCES jobs (id)
)

CREATE INDEX ix_job_events_job_id ON job_events (job_id)

CREATE TABLE job_parties (
	job_id TEXT NOT NULL,
	rank INTEGER NOT NULL,
	node TEXT NOT NULL,
	name TEXT NOT NULL,
	signature BLOB,
	verdict TEXT,
	reason TEXT NOT NULL,
	note TEXT NOT NULL,
	CONSTRAINT pk_job_parties PRIMARY KEY (job_id, rank),
	CONSTRAINT fk_job_parties_job_id_jobs FOREIGN KEY(job_id) REFERENCES jobs (id)
)

CREATE INDEX ix_job_parties_node ON job_parties (node)

CREATE TABLE publications (
	dataset TEXT NOT NULL,
	peer TEXT NOT NULL,
	payload BLOB NOT NULL,
	rows_up_to INTEGER,
	CONSTRAINT pk_publications PRIMARY KEY (dataset, peer),
	CONSTRAINT fk_publications_dataset_datasets FOREIGN KEY(dataset) REFERENCES datasets (name) ON DELETE CASCADE
)

CREATE TABLE operators (
	id TEXT NOT NULL,
	name TEXT NOT NULL,
	certificate BLOB NOT NULL,
	enrolled_milliseconds INTEGER NOT NULL,
	CONSTRAINT pk_operators PRIMARY KEY (id),
	CONSTRAINT uq_operators_name UNIQUE (name)
)

CREATE TABLE ledger_entries (
	number INTEGER NOT NULL,
	at_milliseconds INTEGER NOT NULL,
	kind TEXT NOT NULL,
	job_id TEXT,
	content BLOB,
	leaf_hash BLOB NOT NULL,
	CONSTRAINT pk_ledger_entries PRIMARY KEY (number)
)

CREATE INDEX ix_ledger_entries_kind ON ledger_entries (kind)

CREATE INDEX ix_ledger_entries_job_id ON ledger_entries (job_id)

CREATE TABLE ledger_nodes (
	middle INTEGER NOT NULL,
	hash BLOB NOT NULL,
	CONSTRAINT pk_ledger_nodes PRIMARY KEY (middle)
)

CREATE TABLE ledger_checkpoints (
	size INTEGER NOT NULL,
	note TEXT NOT NULL,
	at_milliseconds INTEGER NOT NULL,
	CONSTRAINT pk_ledger_checkpoints PRIMARY KEY (size)
)

CREATE TABLE ledger_countersignatures (
	size INTEGER NOT NULL,
	peer TEXT NOT NULL,
	line TEXT NOT NULL,
	CONSTRAINT pk_ledger_countersignatures PRIMARY KEY (size, peer),
	CONSTRAINT fk_ledger_countersignatures_size_ledger_checkpoints FOREIGN KEY(size) REFERENCES ledger_checkpoints (size)
)

CREATE TABLE peer_checkpoints (
	peer TEXT NOT NULL,
	size INTEGER NOT NULL,
	note TEXT NOT NULL,
	at_milliseconds INTEGER NOT NULL,
	CONSTRAINT pk_peer_checkpoints PRIMARY KEY (peer, size)
)

CREATE TABLE peer_forks (
	number INTEGER NOT NULL,
	peer TEXT NOT NULL,
	held TEXT NOT NULL,
	shown TEXT NOT NULL,
	at_milliseconds INTEGER NOT NULL,
	CONSTRAINT pk_peer_forks PRIMARY KEY (number)
)

CREATE TABLE accounts (
	id TEXT NOT NULL,
	name TEXT NOT NULL,
	roles TEXT NOT NULL,
	is_disabled BOOLEAN NOT NULL,
	password_hash TEXT NOT NULL,
	totp_secret BLOB NOT NULL,
	totp_last_step INTEGER NOT NULL,
	enrolment_digest BLOB NOT NULL,
	enrolment_expires_milliseconds INTEGER NOT NULL,
	created_milliseconds INTEGER NOT NULL,
	enrolled_milliseconds INTEGER NOT NULL,
	password_changed_milliseconds INTEGER NOT NULL,
	CONSTRAINT pk_accounts PRIMARY KEY (id),
	CONSTRAINT uq_accounts_name UNIQUE (name)
)

CREATE TABLE account_recovery_codes (
	account TEXT NOT NULL,
	digest BLOB NOT NULL,
	CONSTRAINT pk_account_recovery_codes PRIMARY KEY (account, digest),
	CONSTRAINT fk_account_recovery_codes_account_accounts FOREIGN KEY(account) REFERENCES accounts (id)
)

CREATE TABLE account_bindings (
	kind TEXT NOT NULL,
	value TEXT NOT NULL,
	account TEXT,
	CONSTRAINT pk_account_bindings PRIMARY KEY (kind, value),
	CONSTRAINT fk_account_bindings_account_accounts FOREIGN KEY(account) REFERENCES accounts (id)
)

CREATE INDEX ix_account_bindings_account ON account_bindings (account)

CREATE TABLE account_tokens (
	id TEXT NOT NULL,
	account TEXT NOT NULL,
	name TEXT NOT NULL,
	digest BLOB NOT NULL,
	scope TEXT NOT NULL,
	created_milliseconds INTEGER NOT NULL,
	expires_milliseconds INTEGER NOT NULL,
	last_used_milliseconds INTEGER NOT NULL,
	CONSTRAINT pk_account_tokens PRIMARY KEY (id),
	CONSTRAINT fk_account_tokens_account_accounts FOREIGN KEY(account) REFERENCES accounts (id),
	CONSTRAINT uq_account_tokens_digest UNIQUE (digest)
)

CREATE INDEX ix_account_tokens_account ON account_tokens (account)

CREATE TABLE account_sources (
	account TEXT NOT NULL,
	source TEXT NOT NULL,
	last_login_milliseconds INTEGER NOT NULL,
	CONSTRAINT pk_account_sources PRIMARY KEY (account, source),
	CONSTRAINT fk_account_sources_account_accounts FOREIGN KEY(account) REFERENCES accounts (id)
)

CREATE TABLE login_failures (
	name_digest BLOB NOT NULL,
	count INTEGER NOT NULL,
	last_milliseconds INTEGER NOT NULL,
	CONSTRAINT pk_login_failures PRIMARY KEY (name_digest)
)

CREATE TABLE account_credentials (
	id BLOB NOT NULL,
	account TEXT NOT NULL,
	public_key_cose BLOB NOT NULL,
	sign_count INTEGER NOT NULL,
	transports TEXT NOT NULL,
	name TEXT NOT NULL,
	created_milliseconds INTEGER NOT NULL,
	CONSTRAINT pk_account_credentials PRIMARY KEY (id),
	CONSTRAINT fk_account_credentials_account_accounts FOREIGN KEY(account) REFERENCES accounts (id)
)

CREATE INDEX ix_account_credentials_account ON account_credentials (account)

CREATE TABLE budget_spends (
	job_id TEXT NOT NULL,
	dataset TEXT NOT NULL,
	peer TEXT NOT NULL,
	epsilon TEXT NOT NULL,
	delta TEXT NOT NULL,
	signed_milliseconds INTEGER NOT NULL,
	began_milliseconds INTEGER,
	CONSTRAINT pk_budget_spends PRIMARY KEY (job_id, dataset, peer)
)

CREATE INDEX ix_budget_spends_dataset ON budget_spends (dataset)

CREATE TABLE policies (
	dataset TEXT NOT NULL,
	version INTEGER NOT NULL,
	text TEXT NOT NULL,
	digest TEXT NOT NULL,
	changed_by TEXT NOT NULL,
	changed_milliseconds INTEGER NOT NULL,
	CONSTRAINT pk_policies PRIMARY KEY (dataset, version)
)

CREATE TABLE job_approvals (
	job_id TEXT NOT NULL,
	person TEXT NOT NULL,
	name TEXT NOT NULL,
	at_milliseconds INTEGER NOT NULL,
	CONSTRAINT pk_job_approvals PRIMARY KEY (job_id, person),
	CONSTRAINT fk_job_approvals_job_id_jobs FOREIGN KEY(job_id) REFERENCES jobs (id)
)

CREATE TABLE ledger_shown (
	peer TEXT NOT NULL,
	size INTEGER NOT NULL,
	at_milliseconds INTEGER NOT NULL,
	is_refused BOOLEAN NOT NULL,
	is_repeated BOOLEAN NOT NULL,
	CONSTRAINT pk_ledger_shown PRIMARY KEY (peer)
)

CREATE TABLE grants (
	id TEXT NOT NULL,
	grantor TEXT NOT NULL,
	dataset TEXT NOT NULL,
	body BLOB NOT NULL,
	signature BLOB NOT NULL,
	uses INTEGER NOT NULL,
	is_standing BOOLEAN NOT NULL,
	issued_milliseconds INTEGER NOT NULL,
	expires_milliseconds INTEGER NOT NULL,
	revoked_milliseconds INTEGER,
	CONSTRAINT pk_grants PRIMARY KEY (id)
)

CREATE INDEX ix_grants_grantor_dataset ON grants (grantor, dataset)

CREATE TABLE grant_uses (
	job_id TEXT NOT NULL,
	grant_id TEXT NOT NULL,
	taken_milliseconds INTEGER NOT NULL,
	began_milliseconds INTEGER,
	CONSTRAINT pk_grant_uses PRIMARY KEY (job_id, grant_id),
	CONSTRAINT fk_grant_uses_grant_id_grants FOREIGN KEY(grant_id) REFERENCES grants (id)
)

CREATE INDEX ix_grant_uses_grant_id ON grant_uses (grant_id)

CREATE TABLE ledger_exports (
	destination TEXT NOT NULL,
	next_number INTEGER NOT NULL,
	CONSTRAINT pk_ledger_exports PRIMARY KEY (destination)
)

CREATE TABLE ledger_receiver (
	number INTEGER NOT NULL,
	address TEXT NOT NULL,
	authority TEXT NOT NULL,
	set_by TEXT NOT NULL,
	set_milliseconds INTEGER NOT NULL,
	CONSTRAINT pk_ledger_receiver PRIMARY KEY (number)
)

CREATE TABLE job_meters (
	job_id TEXT NOT NULL,
	bytes_sent INTEGER NOT NULL,
	bytes_received INTEGER NOT NULL,
	rounds INTEGER NOT NULL,
	cpu_milliseconds INTEGER NOT NULL,
	verdict_milliseconds INTEGER,
	CONSTRAINT pk_job_meters PRIMARY KEY (job_id),
	CONSTRAINT fk_job_meters_job_id_jobs FOREIGN KEY(job_id) REFERENCES jobs (id)
)

INSERT INTO alembic_version VALUES ('0012')
