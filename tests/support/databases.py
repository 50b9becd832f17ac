"""Databases of tenants, for tests of the backend that makes them."""

import secrets

import psycopg

PASSWORDS = {role: f"{role}-{secrets.token_urlsafe(24)}" for role in ("owner", "api", "imaging")}


async def connect(url: str) -> psycopg.AsyncConnection[tuple[object, ...]]:
    return await psycopg.AsyncConnection.connect(url, autocommit=True)


async def scalar(url: str, query: str, *arguments: object) -> object:
    async with await connect(url) as connection:
        row = await (await connection.execute(query, arguments)).fetchone()
        return row and row[0]
