"""The states in the old tables get their new names, and their old ones again."""

from __future__ import annotations

import pytest

from sync.central.store.errors import StoreError
from tests.sync.central.legacy import old_system
from tests.sync.central.legacy.way import Way


def test_the_states_have_their_new_names_and_nothing_else_changes(way: Way):
    before = way.old_rows()
    done = way.rename()
    after = way.old_rows()
    assert done.values > 50
    assert done.backup is not None
    for table, rows in before.items():
        if table == "app_appointment":
            assert after[table] == rows
        else:
            renamed = (row.replace('"ONGOING"', '"IN_PROGRESS"').replace('"ongoing"', '"in_progress"') for row in rows)
            assert after[table] == sorted(renamed)


def test_a_name_that_no_rule_knows_is_told_and_stays(way: Way):
    names = {each.name: (each.becomes, each.rows) for each in way.rename().names if each.becomes != each.name}
    assert names["NIRVANA"] == names["dozing"] == ("", 1)


def test_a_trial_changes_nothing(way: Way):
    before = way.old_rows()
    trial = way.rename(trial=True)
    assert way.old_rows() == before
    assert way.rename().values == trial.values


def test_a_second_run_is_refused_and_the_way_back_leaves_every_row_as_it_was(way: Way):
    way.change_old("update app_queue set state = 'in_progress' where queue_id = 2")  # had the new name already
    before = way.old_rows()
    way.rename()
    with pytest.raises(StoreError, match=r"the names were changed on .* already"):
        way.rename()
    renamed = way.old_rows()
    way.rename_back(trial=True)
    assert way.old_rows() == renamed
    way.rename_back()
    assert way.old_rows() == before
    with pytest.raises(StoreError, match="the names were not changed here"):
        way.rename_back()


def test_a_row_that_was_added_since_gets_the_old_name_too(way: Way):
    way.rename()
    way.change_old("update app_patientstate set current_state = 'IN_PROGRESS' where id = 1")
    way.rename_back()
    assert old_system.run("read", way.old)["states"][0][1] == "ONGOING"


def test_of_several_old_names_for_one_each_row_gets_its_own_back(way: Way):
    way.take_layout('[states.queue]\nunderway = "in_progress"\n')
    way.change_old("update app_queue set state = 'underway' where queue_id = 4")
    before = way.old_rows()
    way.rename()
    way.rename_back()
    assert way.old_rows() == before
