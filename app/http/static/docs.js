"use strict";
const place = document.getElementById("api");
SwaggerUIBundle({ url: place.dataset.openapi, domNode: place, tryItOutEnabled: true, displayRequestDuration: true });
