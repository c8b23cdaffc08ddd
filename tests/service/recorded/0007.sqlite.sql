BEGIN TRANSACTION;
CREATE TABLE agents (
	id VARCHAR(36) NOT NULL, 
	name VARCHAR(100) NOT NULL, 
	key_id VARCHAR(32), 
	target_id VARCHAR(200) NOT NULL, 
	facts JSON NOT NULL, 
	state JSON NOT NULL, 
	enrolled_at DATETIME NOT NULL, 
	seen_at DATETIME NOT NULL, 
	CONSTRAINT pk_agents PRIMARY KEY (id), 
	CONSTRAINT fk_agents_target_id_targets FOREIGN KEY(target_id) REFERENCES targets (id)
);
INSERT INTO "agents" VALUES('01a1fc7b-7df2-74d0-acbc-579dda30268c','board',NULL,'cpu-1t-0a1b2c3d','{"protocol": 1}','{}','2026-11-21 05:01:54.034623','2026-11-21 05:01:54.034623');
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0007');
CREATE TABLE aliases (
	name VARCHAR(200) NOT NULL, 
	target_id VARCHAR(200) NOT NULL, 
	CONSTRAINT pk_aliases PRIMARY KEY (name), 
	CONSTRAINT fk_aliases_target_id_targets FOREIGN KEY(target_id) REFERENCES targets (id)
);
INSERT INTO "aliases" VALUES('laptop','cpu-1t-0a1b2c3d');
CREATE TABLE api_keys (
	id VARCHAR(32) NOT NULL, 
	name VARCHAR(200) NOT NULL, 
	scopes VARCHAR(200) NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	created_at DATETIME NOT NULL, 
	expires_at DATETIME, 
	revoked_at DATETIME, 
	CONSTRAINT pk_api_keys PRIMARY KEY (id)
);
CREATE TABLE campaign_events (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	campaign_id VARCHAR(36) NOT NULL, 
	at DATETIME NOT NULL, 
	kind VARCHAR(20) NOT NULL, 
	data JSON NOT NULL, 
	CONSTRAINT fk_campaign_events_campaign_id_campaigns FOREIGN KEY(campaign_id) REFERENCES campaigns (id)
);
INSERT INTO "campaign_events" VALUES(1,'01a1fc7b-7deb-7e7d-8aac-b9ae02b52ff7','2026-11-21 05:01:54.032726','state','{"state": "planning"}');
INSERT INTO "campaign_events" VALUES(2,'01a1fc7b-7deb-7e7d-8aac-b9ae02b52ff7','2026-11-21 05:01:54.042630','state','{"state": "measuring", "round": 1}');
CREATE TABLE campaigns (
	id VARCHAR(36) NOT NULL, 
	target_id VARCHAR(200) NOT NULL, 
	document JSON NOT NULL, 
	state VARCHAR(20) NOT NULL, 
	round INTEGER NOT NULL, 
	spent_s DOUBLE NOT NULL, 
	job_id VARCHAR(36), 
	result JSON NOT NULL, 
	error TEXT, 
	requested_by VARCHAR(32) NOT NULL, 
	created_at DATETIME NOT NULL, 
	finished_at DATETIME, 
	CONSTRAINT pk_campaigns PRIMARY KEY (id), 
	CONSTRAINT fk_campaigns_target_id_targets FOREIGN KEY(target_id) REFERENCES targets (id)
);
INSERT INTO "campaigns" VALUES('01a1fc7b-7deb-7e7d-8aac-b9ae02b52ff7','cpu-1t-0a1b2c3d','{"budget_s": 60.0}','measuring',1,0.0,'01a1fc7b-7dec-73f7-aeac-1493bad9efb6','{}',NULL,'anonymous','2026-11-21 05:01:54.027620',NULL);
CREATE TABLE enrolments (
	id VARCHAR(12) NOT NULL, 
	name VARCHAR(100) NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	requested_by VARCHAR(32) NOT NULL, 
	created_at DATETIME NOT NULL, 
	expires_at DATETIME NOT NULL, 
	used_at DATETIME, 
	CONSTRAINT pk_enrolments PRIMARY KEY (id)
);
CREATE TABLE job_events (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	job_id VARCHAR(36) NOT NULL, 
	at DATETIME NOT NULL, 
	kind VARCHAR(20) NOT NULL, 
	data JSON NOT NULL, 
	CONSTRAINT fk_job_events_job_id_jobs FOREIGN KEY(job_id) REFERENCES jobs (id)
);
INSERT INTO "job_events" VALUES(1,'01a1fc7b-7de7-798a-a94c-f0da74330cea','2026-11-21 05:01:54.024767','state','{"state": "queued"}');
INSERT INTO "job_events" VALUES(2,'01a1fc7b-7dec-73f7-aeac-1493bad9efb6','2026-11-21 05:01:54.028923','state','{"state": "queued"}');
CREATE TABLE jobs (
	id VARCHAR(36) NOT NULL, 
	kind VARCHAR(40) NOT NULL, 
	arguments JSON NOT NULL, 
	state VARCHAR(20) NOT NULL, 
	fence INTEGER NOT NULL, 
	crashes INTEGER NOT NULL, 
	lease_until DATETIME, 
	progress DOUBLE NOT NULL, 
	words TEXT NOT NULL, 
	result JSON NOT NULL, 
	error TEXT, 
	requested_by VARCHAR(32) NOT NULL, 
	created_at DATETIME NOT NULL, 
	started_at DATETIME, 
	finished_at DATETIME, 
	CONSTRAINT pk_jobs PRIMARY KEY (id)
);
INSERT INTO "jobs" VALUES('01a1fc7b-7de7-798a-a94c-f0da74330cea','train','{"target": "cpu-1t-0a1b2c3d"}','queued',0,0,NULL,0.0,'','{}',NULL,'anonymous','2026-11-21 05:01:54.023766',NULL,NULL);
INSERT INTO "jobs" VALUES('01a1fc7b-7dec-73f7-aeac-1493bad9efb6','campaign','{"campaign": "01a1fc7b-7deb-7e7d-8aac-b9ae02b52ff7"}','queued',0,0,NULL,0.0,'','{}',NULL,'anonymous','2026-11-21 05:01:54.028694',NULL,NULL);
CREATE TABLE leases (
	id VARCHAR(36) NOT NULL, 
	task_id VARCHAR(36) NOT NULL, 
	agent_id VARCHAR(36) NOT NULL, 
	fence INTEGER NOT NULL, 
	chunks INTEGER NOT NULL, 
	late_chunks INTEGER NOT NULL, 
	granted_at DATETIME NOT NULL, 
	ended_at DATETIME, 
	CONSTRAINT pk_leases PRIMARY KEY (id), 
	CONSTRAINT fk_leases_task_id_tasks FOREIGN KEY(task_id) REFERENCES tasks (id), 
	CONSTRAINT fk_leases_agent_id_agents FOREIGN KEY(agent_id) REFERENCES agents (id)
);
INSERT INTO "leases" VALUES('01a1fc7b-7e03-75e3-83f0-121fb2a61cd5','01a1fc7b-7df3-759e-8703-c7faed83449b','01a1fc7b-7df2-74d0-acbc-579dda30268c',1,0,0,'2026-11-21 05:01:54.047412',NULL);
CREATE TABLE lookup_tables (
	id INTEGER NOT NULL, 
	target_id VARCHAR(200) NOT NULL, 
	version VARCHAR(40) NOT NULL, 
	manifest JSON NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_lookup_tables PRIMARY KEY (id), 
	CONSTRAINT fk_lookup_tables_target_id_targets FOREIGN KEY(target_id) REFERENCES targets (id), 
	CONSTRAINT uq_lookup_tables_target_id UNIQUE (target_id, version)
);
INSERT INTO "lookup_tables" VALUES(1,'cpu-1t-0a1b2c3d','v0001-aaaaaaaa','{"rows": 1}','2026-01-02 04:04:05.000000');
INSERT INTO "lookup_tables" VALUES(2,'cpu-1t-0a1b2c3d','v0002-aaaaaaaa','{"rows": 2}','2026-01-02 05:04:05.000000');
CREATE TABLE measurement_chunks (
	id INTEGER NOT NULL, 
	target_id VARCHAR(200) NOT NULL, 
	origin VARCHAR(200) NOT NULL, 
	number INTEGER NOT NULL, 
	sha256 VARCHAR(64) NOT NULL, 
	rows INTEGER NOT NULL, 
	received_at DATETIME NOT NULL, 
	CONSTRAINT pk_measurement_chunks PRIMARY KEY (id), 
	CONSTRAINT fk_measurement_chunks_target_id_targets FOREIGN KEY(target_id) REFERENCES targets (id), 
	CONSTRAINT uq_measurement_chunks_origin UNIQUE (origin, number)
);
INSERT INTO "measurement_chunks" VALUES(1,'cpu-1t-0a1b2c3d','lease-1',0,'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',2,'2026-01-02 03:04:05.000000');
CREATE TABLE measurements (
	id INTEGER NOT NULL, 
	chunk_id INTEGER NOT NULL, 
	kernel_key VARCHAR(64), 
	mode VARCHAR(20) NOT NULL, 
	latency_us DOUBLE, 
	error VARCHAR(20), 
	document TEXT NOT NULL, 
	CONSTRAINT pk_measurements PRIMARY KEY (id), 
	CONSTRAINT fk_measurements_chunk_id_measurement_chunks FOREIGN KEY(chunk_id) REFERENCES measurement_chunks (id)
);
INSERT INTO "measurements" VALUES(1,1,NULL,'whole_model',12.5,NULL,'{"mode":"whole_model","latency_us":12.5,"context":"net:1"}');
INSERT INTO "measurements" VALUES(2,1,NULL,'isolated',NULL,'oom','{"mode":"isolated","error":"oom","detail":"no memory"}');
CREATE TABLE predictions (
	id VARCHAR(36) NOT NULL, 
	created_at DATETIME NOT NULL, 
	request JSON NOT NULL, 
	answer BLOB NOT NULL, 
	CONSTRAINT pk_predictions PRIMARY KEY (id)
);
INSERT INTO "predictions" VALUES('000000000000000000000000000000000001','2026-01-02 03:04:05.000000','{"targets": []}',X'7801AB56CA4BCC4D55B25250CA4B2D51AA0500266804C3');
CREATE TABLE predictor_tables (
	predictor_id INTEGER NOT NULL, 
	position INTEGER NOT NULL, 
	table_id INTEGER NOT NULL, 
	CONSTRAINT pk_predictor_tables PRIMARY KEY (predictor_id, position), 
	CONSTRAINT fk_predictor_tables_predictor_id_predictors FOREIGN KEY(predictor_id) REFERENCES predictors (id), 
	CONSTRAINT fk_predictor_tables_table_id_lookup_tables FOREIGN KEY(table_id) REFERENCES lookup_tables (id)
);
INSERT INTO "predictor_tables" VALUES(1,0,1);
INSERT INTO "predictor_tables" VALUES(2,0,2);
CREATE TABLE predictors (
	id INTEGER NOT NULL, 
	target_id VARCHAR(200) NOT NULL, 
	version VARCHAR(40) NOT NULL, 
	sha256 VARCHAR(64) NOT NULL, 
	report JSON NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_predictors PRIMARY KEY (id), 
	CONSTRAINT fk_predictors_target_id_targets FOREIGN KEY(target_id) REFERENCES targets (id), 
	CONSTRAINT uq_predictors_target_id UNIQUE (target_id, version)
);
INSERT INTO "predictors" VALUES(1,'cpu-1t-0a1b2c3d','v0001-bbbbbbbb','1111111111111111111111111111111111111111111111111111111111111111','{"noise_floor": null}','2026-01-02 04:04:05.000000');
INSERT INTO "predictors" VALUES(2,'cpu-1t-0a1b2c3d','v0002-bbbbbbbb','2222222222222222222222222222222222222222222222222222222222222222','{"noise_floor": null}','2026-01-02 05:04:05.000000');
CREATE TABLE promotions (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	target_id VARCHAR(200) NOT NULL, 
	predictor_id INTEGER NOT NULL, 
	promoted_at DATETIME NOT NULL, 
	note VARCHAR NOT NULL, 
	CONSTRAINT fk_promotions_target_id_targets FOREIGN KEY(target_id) REFERENCES targets (id), 
	CONSTRAINT fk_promotions_predictor_id_predictors FOREIGN KEY(predictor_id) REFERENCES predictors (id)
);
INSERT INTO "promotions" VALUES(1,'cpu-1t-0a1b2c3d',1,'2026-11-21 05:01:54.015901','note 1');
INSERT INTO "promotions" VALUES(2,'cpu-1t-0a1b2c3d',2,'2026-11-21 05:01:54.022700','note 2');
CREATE TABLE search_spaces (
	id VARCHAR(32) NOT NULL, 
	name VARCHAR(80) NOT NULL, 
	document JSON NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_search_spaces PRIMARY KEY (id)
);
INSERT INTO "search_spaces" VALUES('0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a','space','{"space": {"name": "space"}}','2026-01-02 03:04:05.000000');
CREATE TABLE targets (
	id VARCHAR(200) NOT NULL, 
	document JSON NOT NULL, 
	emulated BOOLEAN NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_targets PRIMARY KEY (id)
);
INSERT INTO "targets" VALUES('cpu-1t-0a1b2c3d','{"device": {"cpu_model": "Example \u00e4"}}',0,'2026-01-02 03:04:05.000000');
CREATE TABLE tasks (
	id VARCHAR(36) NOT NULL, 
	campaign_id VARCHAR(36) NOT NULL, 
	target_id VARCHAR(200) NOT NULL, 
	round INTEGER NOT NULL, 
	position INTEGER NOT NULL, 
	document JSON NOT NULL, 
	state VARCHAR(20) NOT NULL, 
	fence INTEGER NOT NULL, 
	lease_id VARCHAR(36), 
	lease_until DATETIME, 
	losses JSON NOT NULL, 
	CONSTRAINT pk_tasks PRIMARY KEY (id), 
	CONSTRAINT fk_tasks_campaign_id_campaigns FOREIGN KEY(campaign_id) REFERENCES campaigns (id), 
	CONSTRAINT fk_tasks_target_id_targets FOREIGN KEY(target_id) REFERENCES targets (id)
);
INSERT INTO "tasks" VALUES('01a1fc7b-7df3-759e-8703-c7faed83449b','01a1fc7b-7deb-7e7d-8aac-b9ae02b52ff7','cpu-1t-0a1b2c3d',1,0,'{"items": [{"item": {"family": "net", "seed": 1}}]}','leased',1,'01a1fc7b-7e03-75e3-83f0-121fb2a61cd5','2026-11-21 05:02:54.047412','{}');
CREATE INDEX ix_aliases_target_id ON aliases (target_id);
CREATE INDEX ix_lookup_tables_version ON lookup_tables (version);
CREATE INDEX ix_predictors_version ON predictors (version);
CREATE INDEX ix_predictor_tables_table_id ON predictor_tables (table_id);
CREATE INDEX ix_promotions_target_id ON promotions (target_id);
CREATE INDEX ix_promotions_predictor_id ON promotions (predictor_id);
CREATE INDEX ix_measurement_chunks_target_id ON measurement_chunks (target_id);
CREATE INDEX ix_measurements_chunk_id ON measurements (chunk_id);
CREATE INDEX ix_jobs_state ON jobs (state);
CREATE INDEX ix_job_events_job_id ON job_events (job_id);
CREATE INDEX ix_agents_target_id ON agents (target_id);
CREATE INDEX ix_campaigns_state ON campaigns (state);
CREATE INDEX ix_campaign_events_campaign_id ON campaign_events (campaign_id);
CREATE INDEX ix_tasks_target_id ON tasks (target_id, state);
CREATE INDEX ix_leases_task_id ON leases (task_id);
CREATE INDEX ix_tasks_campaign_id ON tasks (campaign_id, state, round, position);
CREATE INDEX ix_tasks_lease_until ON tasks (campaign_id, state, lease_until);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('promotions',2);
INSERT INTO "sqlite_sequence" VALUES('job_events',2);
INSERT INTO "sqlite_sequence" VALUES('campaign_events',2);
COMMIT;
