"""The database: connections, schema, migrations and repositories. SQLAlchemy is used nowhere else."""

from service.db.activity import Activity, ProgressRecord, Tally, WorkRecord
from service.db.agents import AgentRecord, Agents, EnrolmentRecord
from service.db.campaigns import CampaignRecord, Campaigns
from service.db.engine import Database, sqlite_url
from service.db.jobs import JobEvent, JobRecord, Jobs
from service.db.keys import ApiKeys, KeyRecord
from service.db.leases import LeaseRecord, Leases
from service.db.measurements import ChunkRecord, Measurements
from service.db.migrate import current_revision, upgrade
from service.db.migrations import HEAD
from service.db.predictions import Predictions
from service.db.records import PredictionRecord, PredictorRecord, PromotionRecord, TableRecord, TargetRecord
from service.db.search_spaces import SearchSpaceRecord, SearchSpaces
from service.db.tasks import TaskRecord, Tasks
from service.db.versions import Versions

__all__ = [
    "HEAD",
    "Activity",
    "AgentRecord",
    "Agents",
    "ApiKeys",
    "CampaignRecord",
    "Campaigns",
    "ChunkRecord",
    "Database",
    "EnrolmentRecord",
    "JobEvent",
    "JobRecord",
    "Jobs",
    "KeyRecord",
    "LeaseRecord",
    "Leases",
    "Measurements",
    "PredictionRecord",
    "Predictions",
    "PredictorRecord",
    "ProgressRecord",
    "PromotionRecord",
    "SearchSpaceRecord",
    "SearchSpaces",
    "TableRecord",
    "Tally",
    "TargetRecord",
    "TaskRecord",
    "Tasks",
    "Versions",
    "WorkRecord",
    "current_revision",
    "sqlite_url",
    "upgrade",
]
