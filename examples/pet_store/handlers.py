"""The pet store: one function for each operation of openapi.yaml, found by its name.

No function here waits for anything, so each is an `async def` without `await`: it runs on the event loop, costs no
thread and needs no lock.
"""

from __future__ import annotations

from itertools import count, islice
from typing import Any

from brrtrouter import Request, Response, problem_response

Pet = dict[str, Any]

pets: dict[int, Pet] = {12345: {"id": 12345, "name": "Max", "status": "available", "tags": ["friendly", "trained"]}}
next_id = count(67890)

LABELS = {
    "en": {"available": "looks for a home", "pending": "will move soon", "sold": "has a home"},
    "de": {"available": "sucht ein Zuhause", "pending": "zieht bald um", "sold": "hat ein Zuhause"},
}


def no_such_pet(pet_id: int) -> Response:
    return problem_response("not-found", f"there is no pet {pet_id}")


def new_pet(pet_id: int, details: Pet) -> Pet:
    return {"id": pet_id, "name": details["name"], "status": "available", "tags": [], **details}


async def list_pets(request: Request) -> list[Pet]:
    query = request.query
    status, tags = query.get("status"), set(query.get("tag", ()))
    found = (pet for pet in pets.values() if (status is None or pet["status"] == status) and tags.issubset(pet["tags"]))
    return list(islice(found, query["limit"]))


async def create_pet(request: Request) -> dict[str, Any]:
    pet_id = next(next_id)
    pets[pet_id] = new_pet(pet_id, request.body)
    return {"id": pet_id, "status": "success"}


async def get_pet(request: Request) -> Pet | Response:
    pet_id = request.path_params["petId"]
    return pets.get(pet_id) or no_such_pet(pet_id)


async def update_pet(request: Request) -> Pet | Response:
    pet_id = request.path_params["petId"]
    if pet_id not in pets:
        return no_such_pet(pet_id)
    pets[pet_id] = new_pet(pet_id, request.body)
    return pets[pet_id]


async def delete_pet(request: Request) -> Response | None:
    pet_id = request.path_params["petId"]
    if pet_id not in pets:
        return no_such_pet(pet_id)
    if pets[pet_id]["status"] == "pending":
        # A problem of the store's own: RFC 9457 leaves the names of the types to the application.
        problem = {
            "type": "https://pets.example/problems/sale-pending",
            "title": "Sale Pending",
            "status": 409,
            "detail": f"the sale of pet {pet_id} is pending",
        }
        return Response(409, problem, media_type="application/problem+json")
    del pets[pet_id]
    return None


async def get_label(request: Request) -> Response:
    pet_id, language = request.path_params["petId"], request.cookies["lang"]
    pet = pets.get(pet_id)
    if pet is None:
        return no_such_pet(pet_id)
    text = f"{pet['name']} {LABELS[language][pet['status']]}\n"
    return Response(200, text, {"Content-Language": language}, "text/plain; charset=utf-8")
