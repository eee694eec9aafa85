"""All that knows HTTP: routes, schemas, middleware, problems, pages."""
