SELECT pg_catalog.set_config('search_path', '', false);
CREATE TABLE public.agents (
    id character varying(36) NOT NULL,
    name character varying(100) NOT NULL,
    key_id character varying(32),
    target_id character varying(200) NOT NULL,
    facts json NOT NULL,
    state json NOT NULL,
    enrolled_at timestamp with time zone NOT NULL,
    seen_at timestamp with time zone NOT NULL
);
CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);
CREATE TABLE public.aliases (
    name character varying(200) NOT NULL,
    target_id character varying(200) NOT NULL
);
CREATE TABLE public.api_keys (
    id character varying(32) NOT NULL,
    name character varying(200) NOT NULL,
    scopes character varying(200) NOT NULL,
    digest character varying(64) NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone,
    revoked_at timestamp with time zone
);
CREATE TABLE public.campaign_events (
    id bigint NOT NULL,
    campaign_id character varying(36) NOT NULL,
    at timestamp with time zone NOT NULL,
    kind character varying(20) NOT NULL,
    data json NOT NULL
);
CREATE SEQUENCE public.campaign_events_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.campaign_events_id_seq OWNED BY public.campaign_events.id;
CREATE TABLE public.campaigns (
    id character varying(36) NOT NULL,
    target_id character varying(200) NOT NULL,
    document json NOT NULL,
    state character varying(20) NOT NULL,
    round integer NOT NULL,
    spent_s double precision NOT NULL,
    job_id character varying(36),
    result json NOT NULL,
    error text,
    requested_by character varying(32) NOT NULL,
    created_at timestamp with time zone NOT NULL,
    finished_at timestamp with time zone
);
CREATE TABLE public.enrolments (
    id character varying(12) NOT NULL,
    name character varying(100) NOT NULL,
    digest character varying(64) NOT NULL,
    requested_by character varying(32) NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    used_at timestamp with time zone
);
CREATE TABLE public.job_events (
    id bigint NOT NULL,
    job_id character varying(36) NOT NULL,
    at timestamp with time zone NOT NULL,
    kind character varying(20) NOT NULL,
    data json NOT NULL
);
CREATE SEQUENCE public.job_events_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.job_events_id_seq OWNED BY public.job_events.id;
CREATE TABLE public.jobs (
    id character varying(36) NOT NULL,
    kind character varying(40) NOT NULL,
    arguments json NOT NULL,
    state character varying(20) NOT NULL,
    fence integer NOT NULL,
    crashes integer NOT NULL,
    lease_until timestamp with time zone,
    progress double precision NOT NULL,
    words text NOT NULL,
    result json NOT NULL,
    error text,
    requested_by character varying(32) NOT NULL,
    created_at timestamp with time zone NOT NULL,
    started_at timestamp with time zone,
    finished_at timestamp with time zone
);
CREATE TABLE public.leases (
    id character varying(36) NOT NULL,
    task_id character varying(36) NOT NULL,
    agent_id character varying(36) NOT NULL,
    fence integer NOT NULL,
    chunks integer NOT NULL,
    late_chunks integer NOT NULL,
    granted_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone
);
CREATE TABLE public.lookup_tables (
    id integer NOT NULL,
    target_id character varying(200) NOT NULL,
    version character varying(40) NOT NULL,
    manifest json NOT NULL,
    created_at timestamp with time zone NOT NULL
);
CREATE SEQUENCE public.lookup_tables_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.lookup_tables_id_seq OWNED BY public.lookup_tables.id;
CREATE TABLE public.measurement_chunks (
    id integer NOT NULL,
    target_id character varying(200) NOT NULL,
    origin character varying(200) NOT NULL,
    number integer NOT NULL,
    sha256 character varying(64) NOT NULL,
    rows integer NOT NULL,
    received_at timestamp with time zone NOT NULL
);
CREATE SEQUENCE public.measurement_chunks_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.measurement_chunks_id_seq OWNED BY public.measurement_chunks.id;
CREATE TABLE public.measurements (
    id bigint NOT NULL,
    chunk_id integer NOT NULL,
    kernel_key character varying(64),
    mode character varying(20) NOT NULL,
    latency_us double precision,
    error character varying(20),
    document text NOT NULL
);
CREATE SEQUENCE public.measurements_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.measurements_id_seq OWNED BY public.measurements.id;
CREATE TABLE public.predictions (
    id character varying(36) NOT NULL,
    created_at timestamp with time zone NOT NULL,
    request json NOT NULL,
    answer bytea NOT NULL
);
CREATE TABLE public.predictor_tables (
    predictor_id integer NOT NULL,
    "position" integer NOT NULL,
    table_id integer NOT NULL
);
CREATE TABLE public.predictors (
    id integer NOT NULL,
    target_id character varying(200) NOT NULL,
    version character varying(40) NOT NULL,
    sha256 character varying(64) NOT NULL,
    report json NOT NULL,
    created_at timestamp with time zone NOT NULL
);
CREATE SEQUENCE public.predictors_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.predictors_id_seq OWNED BY public.predictors.id;
CREATE TABLE public.promotions (
    id integer NOT NULL,
    target_id character varying(200) NOT NULL,
    predictor_id integer NOT NULL,
    promoted_at timestamp with time zone NOT NULL,
    note character varying NOT NULL
);
CREATE SEQUENCE public.promotions_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.promotions_id_seq OWNED BY public.promotions.id;
CREATE TABLE public.search_spaces (
    id character varying(32) NOT NULL,
    name character varying(80) NOT NULL,
    document json NOT NULL,
    created_at timestamp with time zone NOT NULL
);
CREATE TABLE public.targets (
    id character varying(200) NOT NULL,
    document json NOT NULL,
    emulated boolean NOT NULL,
    created_at timestamp with time zone NOT NULL
);
CREATE TABLE public.tasks (
    id character varying(36) NOT NULL,
    campaign_id character varying(36) NOT NULL,
    target_id character varying(200) NOT NULL,
    round integer NOT NULL,
    "position" integer NOT NULL,
    document json NOT NULL,
    state character varying(20) NOT NULL,
    fence integer NOT NULL,
    lease_id character varying(36),
    lease_until timestamp with time zone,
    losses json NOT NULL
);
ALTER TABLE ONLY public.campaign_events ALTER COLUMN id SET DEFAULT nextval('public.campaign_events_id_seq'::regclass);
ALTER TABLE ONLY public.job_events ALTER COLUMN id SET DEFAULT nextval('public.job_events_id_seq'::regclass);
ALTER TABLE ONLY public.lookup_tables ALTER COLUMN id SET DEFAULT nextval('public.lookup_tables_id_seq'::regclass);
ALTER TABLE ONLY public.measurement_chunks ALTER COLUMN id SET DEFAULT nextval('public.measurement_chunks_id_seq'::regclass);
ALTER TABLE ONLY public.measurements ALTER COLUMN id SET DEFAULT nextval('public.measurements_id_seq'::regclass);
ALTER TABLE ONLY public.predictors ALTER COLUMN id SET DEFAULT nextval('public.predictors_id_seq'::regclass);
ALTER TABLE ONLY public.promotions ALTER COLUMN id SET DEFAULT nextval('public.promotions_id_seq'::regclass);
INSERT INTO public.agents VALUES ('01a1fc7b-84bf-78a7-90bc-91a334ecfee5', 'board', NULL, 'cpu-1t-0a1b2c3d', '{"protocol": 1}', '{}', '2026-11-21 05:01:55.772987+00', '2026-11-21 05:01:55.772987+00');
INSERT INTO public.alembic_version VALUES ('0007');
INSERT INTO public.aliases VALUES ('laptop', 'cpu-1t-0a1b2c3d');
INSERT INTO public.campaign_events VALUES (1, '01a1fc7b-84a8-709c-87a5-bcca33a7415d', '2026-11-21 05:01:55.768032+00', 'state', '{"state": "planning"}');
INSERT INTO public.campaign_events VALUES (2, '01a1fc7b-84a8-709c-87a5-bcca33a7415d', '2026-11-21 05:01:55.788373+00', 'state', '{"state": "measuring", "round": 1}');
INSERT INTO public.campaigns VALUES ('01a1fc7b-84a8-709c-87a5-bcca33a7415d', 'cpu-1t-0a1b2c3d', '{"budget_s": 60.0}', 'measuring', 1, 0, '01a1fc7b-84b0-775c-9b1d-0f38075f063d', '{}', NULL, 'anonymous', '2026-11-21 05:01:55.756089+00', NULL);
INSERT INTO public.job_events VALUES (1, '01a1fc7b-84a3-7adc-a381-1f25251bd3e6', '2026-11-21 05:01:55.751564+00', 'state', '{"state": "queued"}');
INSERT INTO public.job_events VALUES (2, '01a1fc7b-84b0-775c-9b1d-0f38075f063d', '2026-11-21 05:01:55.761075+00', 'state', '{"state": "queued"}');
INSERT INTO public.jobs VALUES ('01a1fc7b-84a3-7adc-a381-1f25251bd3e6', 'train', '{"target": "cpu-1t-0a1b2c3d"}', 'queued', 0, 0, NULL, 0, '', '{}', NULL, 'anonymous', '2026-11-21 05:01:55.747698+00', NULL, NULL);
INSERT INTO public.jobs VALUES ('01a1fc7b-84b0-775c-9b1d-0f38075f063d', 'campaign', '{"campaign": "01a1fc7b-84a8-709c-87a5-bcca33a7415d"}', 'queued', 0, 0, NULL, 0, '', '{}', NULL, 'anonymous', '2026-11-21 05:01:55.760341+00', NULL, NULL);
INSERT INTO public.leases VALUES ('01a1fc7b-84d4-7f28-ae82-0d220984bdcb', '01a1fc7b-84c1-7847-b788-fad2315830d9', '01a1fc7b-84bf-78a7-90bc-91a334ecfee5', 1, 0, 0, '2026-11-21 05:01:55.791328+00', NULL);
INSERT INTO public.lookup_tables VALUES (1, 'cpu-1t-0a1b2c3d', 'v0001-aaaaaaaa', '{"rows": 1}', '2026-01-02 04:04:05+00');
INSERT INTO public.lookup_tables VALUES (2, 'cpu-1t-0a1b2c3d', 'v0002-aaaaaaaa', '{"rows": 2}', '2026-01-02 05:04:05+00');
INSERT INTO public.measurement_chunks VALUES (1, 'cpu-1t-0a1b2c3d', 'lease-1', 0, 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 2, '2026-01-02 03:04:05+00');
INSERT INTO public.measurements VALUES (1, 1, NULL, 'whole_model', 12.5, NULL, '{"mode":"whole_model","latency_us":12.5,"context":"net:1"}');
INSERT INTO public.measurements VALUES (2, 1, NULL, 'isolated', NULL, 'oom', '{"mode":"isolated","error":"oom","detail":"no memory"}');
INSERT INTO public.predictions VALUES ('000000000000000000000000000000000001', '2026-01-02 03:04:05+00', '{"targets": []}', '\x7801ab56ca4bcc4d55b25250ca4b2d51aa0500266804c3');
INSERT INTO public.predictor_tables VALUES (1, 0, 1);
INSERT INTO public.predictor_tables VALUES (2, 0, 2);
INSERT INTO public.predictors VALUES (1, 'cpu-1t-0a1b2c3d', 'v0001-bbbbbbbb', '1111111111111111111111111111111111111111111111111111111111111111', '{"noise_floor": null}', '2026-01-02 04:04:05+00');
INSERT INTO public.predictors VALUES (2, 'cpu-1t-0a1b2c3d', 'v0002-bbbbbbbb', '2222222222222222222222222222222222222222222222222222222222222222', '{"noise_floor": null}', '2026-01-02 05:04:05+00');
INSERT INTO public.promotions VALUES (1, 'cpu-1t-0a1b2c3d', 1, '2026-11-21 05:01:55.735015+00', 'note 1');
INSERT INTO public.promotions VALUES (2, 'cpu-1t-0a1b2c3d', 2, '2026-11-21 05:01:55.742639+00', 'note 2');
INSERT INTO public.search_spaces VALUES ('0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a', 'space', '{"space": {"name": "space"}}', '2026-01-02 03:04:05+00');
INSERT INTO public.targets VALUES ('cpu-1t-0a1b2c3d', '{"device": {"cpu_model": "Example \u00e4"}}', false, '2026-01-02 03:04:05+00');
INSERT INTO public.tasks VALUES ('01a1fc7b-84c1-7847-b788-fad2315830d9', '01a1fc7b-84a8-709c-87a5-bcca33a7415d', 'cpu-1t-0a1b2c3d', 1, 0, '{"items": [{"item": {"family": "net", "seed": 1}}]}', 'leased', 1, '01a1fc7b-84d4-7f28-ae82-0d220984bdcb', '2026-11-21 05:02:55.791328+00', '{}');
SELECT pg_catalog.setval('public.campaign_events_id_seq', 2, true);
SELECT pg_catalog.setval('public.job_events_id_seq', 2, true);
SELECT pg_catalog.setval('public.lookup_tables_id_seq', 2, true);
SELECT pg_catalog.setval('public.measurement_chunks_id_seq', 1, true);
SELECT pg_catalog.setval('public.measurements_id_seq', 2, true);
SELECT pg_catalog.setval('public.predictors_id_seq', 2, true);
SELECT pg_catalog.setval('public.promotions_id_seq', 2, true);
ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);
ALTER TABLE ONLY public.agents
    ADD CONSTRAINT pk_agents PRIMARY KEY (id);
ALTER TABLE ONLY public.aliases
    ADD CONSTRAINT pk_aliases PRIMARY KEY (name);
ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT pk_api_keys PRIMARY KEY (id);
ALTER TABLE ONLY public.campaign_events
    ADD CONSTRAINT pk_campaign_events PRIMARY KEY (id);
ALTER TABLE ONLY public.campaigns
    ADD CONSTRAINT pk_campaigns PRIMARY KEY (id);
ALTER TABLE ONLY public.enrolments
    ADD CONSTRAINT pk_enrolments PRIMARY KEY (id);
ALTER TABLE ONLY public.job_events
    ADD CONSTRAINT pk_job_events PRIMARY KEY (id);
ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT pk_jobs PRIMARY KEY (id);
ALTER TABLE ONLY public.leases
    ADD CONSTRAINT pk_leases PRIMARY KEY (id);
ALTER TABLE ONLY public.lookup_tables
    ADD CONSTRAINT pk_lookup_tables PRIMARY KEY (id);
ALTER TABLE ONLY public.measurement_chunks
    ADD CONSTRAINT pk_measurement_chunks PRIMARY KEY (id);
ALTER TABLE ONLY public.measurements
    ADD CONSTRAINT pk_measurements PRIMARY KEY (id);
ALTER TABLE ONLY public.predictions
    ADD CONSTRAINT pk_predictions PRIMARY KEY (id);
ALTER TABLE ONLY public.predictor_tables
    ADD CONSTRAINT pk_predictor_tables PRIMARY KEY (predictor_id, "position");
ALTER TABLE ONLY public.predictors
    ADD CONSTRAINT pk_predictors PRIMARY KEY (id);
ALTER TABLE ONLY public.promotions
    ADD CONSTRAINT pk_promotions PRIMARY KEY (id);
ALTER TABLE ONLY public.search_spaces
    ADD CONSTRAINT pk_search_spaces PRIMARY KEY (id);
ALTER TABLE ONLY public.targets
    ADD CONSTRAINT pk_targets PRIMARY KEY (id);
ALTER TABLE ONLY public.tasks
    ADD CONSTRAINT pk_tasks PRIMARY KEY (id);
ALTER TABLE ONLY public.lookup_tables
    ADD CONSTRAINT uq_lookup_tables_target_id UNIQUE (target_id, version);
ALTER TABLE ONLY public.measurement_chunks
    ADD CONSTRAINT uq_measurement_chunks_origin UNIQUE (origin, number);
ALTER TABLE ONLY public.predictors
    ADD CONSTRAINT uq_predictors_target_id UNIQUE (target_id, version);
CREATE INDEX ix_agents_target_id ON public.agents USING btree (target_id);
CREATE INDEX ix_aliases_target_id ON public.aliases USING btree (target_id);
CREATE INDEX ix_campaign_events_campaign_id ON public.campaign_events USING btree (campaign_id);
CREATE INDEX ix_campaigns_state ON public.campaigns USING btree (state);
CREATE INDEX ix_job_events_job_id ON public.job_events USING btree (job_id);
CREATE INDEX ix_jobs_state ON public.jobs USING btree (state);
CREATE INDEX ix_leases_task_id ON public.leases USING btree (task_id);
CREATE INDEX ix_lookup_tables_version ON public.lookup_tables USING btree (version);
CREATE INDEX ix_measurement_chunks_target_id ON public.measurement_chunks USING btree (target_id);
CREATE INDEX ix_measurements_chunk_id ON public.measurements USING btree (chunk_id);
CREATE INDEX ix_predictor_tables_table_id ON public.predictor_tables USING btree (table_id);
CREATE INDEX ix_predictors_version ON public.predictors USING btree (version);
CREATE INDEX ix_promotions_predictor_id ON public.promotions USING btree (predictor_id);
CREATE INDEX ix_promotions_target_id ON public.promotions USING btree (target_id);
CREATE INDEX ix_tasks_campaign_id ON public.tasks USING btree (campaign_id, state, round, "position");
CREATE INDEX ix_tasks_lease_until ON public.tasks USING btree (campaign_id, state, lease_until);
CREATE INDEX ix_tasks_target_id ON public.tasks USING btree (target_id, state);
ALTER TABLE ONLY public.agents
    ADD CONSTRAINT fk_agents_target_id_targets FOREIGN KEY (target_id) REFERENCES public.targets(id);
ALTER TABLE ONLY public.aliases
    ADD CONSTRAINT fk_aliases_target_id_targets FOREIGN KEY (target_id) REFERENCES public.targets(id);
ALTER TABLE ONLY public.campaign_events
    ADD CONSTRAINT fk_campaign_events_campaign_id_campaigns FOREIGN KEY (campaign_id) REFERENCES public.campaigns(id);
ALTER TABLE ONLY public.campaigns
    ADD CONSTRAINT fk_campaigns_target_id_targets FOREIGN KEY (target_id) REFERENCES public.targets(id);
ALTER TABLE ONLY public.job_events
    ADD CONSTRAINT fk_job_events_job_id_jobs FOREIGN KEY (job_id) REFERENCES public.jobs(id);
ALTER TABLE ONLY public.leases
    ADD CONSTRAINT fk_leases_agent_id_agents FOREIGN KEY (agent_id) REFERENCES public.agents(id);
ALTER TABLE ONLY public.leases
    ADD CONSTRAINT fk_leases_task_id_tasks FOREIGN KEY (task_id) REFERENCES public.tasks(id);
ALTER TABLE ONLY public.lookup_tables
    ADD CONSTRAINT fk_lookup_tables_target_id_targets FOREIGN KEY (target_id) REFERENCES public.targets(id);
ALTER TABLE ONLY public.measurement_chunks
    ADD CONSTRAINT fk_measurement_chunks_target_id_targets FOREIGN KEY (target_id) REFERENCES public.targets(id);
ALTER TABLE ONLY public.measurements
    ADD CONSTRAINT fk_measurements_chunk_id_measurement_chunks FOREIGN KEY (chunk_id) REFERENCES public.measurement_chunks(id);
ALTER TABLE ONLY public.predictor_tables
    ADD CONSTRAINT fk_predictor_tables_predictor_id_predictors FOREIGN KEY (predictor_id) REFERENCES public.predictors(id);
ALTER TABLE ONLY public.predictor_tables
    ADD CONSTRAINT fk_predictor_tables_table_id_lookup_tables FOREIGN KEY (table_id) REFERENCES public.lookup_tables(id);
ALTER TABLE ONLY public.predictors
    ADD CONSTRAINT fk_predictors_target_id_targets FOREIGN KEY (target_id) REFERENCES public.targets(id);
ALTER TABLE ONLY public.promotions
    ADD CONSTRAINT fk_promotions_predictor_id_predictors FOREIGN KEY (predictor_id) REFERENCES public.predictors(id);
ALTER TABLE ONLY public.promotions
    ADD CONSTRAINT fk_promotions_target_id_targets FOREIGN KEY (target_id) REFERENCES public.targets(id);
ALTER TABLE ONLY public.tasks
    ADD CONSTRAINT fk_tasks_campaign_id_campaigns FOREIGN KEY (campaign_id) REFERENCES public.campaigns(id);
ALTER TABLE ONLY public.tasks
    ADD CONSTRAINT fk_tasks_target_id_targets FOREIGN KEY (target_id) REFERENCES public.targets(id);
