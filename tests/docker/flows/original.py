"""Flows of Prefect 0.6.6: one that succeeds, one whose task fails."""
from prefect import Flow, task


@task
def one():
    return 1


@task
def add(x):
    print("the sum is", x + 1)
    return x + 1


@task
def divide():
    return 1 / 0


with Flow("ETL: daily") as etl:
    add(one())

with Flow("broken") as broken:
    divide()
