from django.urls import path

from followups.views import panels, search

app_name = "followups"
urlpatterns = [
    # Search, and panels of the customer's and the car's page
    path("search/", search.search, name="search"),
    path("care/of-customer/<int:pk>/", panels.customer_care, name="customer_care"),
    path("care/of-vehicle/<int:pk>/", panels.vehicle_care, name="vehicle_care"),
    path("contacts/of-customer/<int:pk>/", panels.customer_contacts, name="customer_contacts"),
    path("next-steps/of-customer/<int:pk>/", panels.customer_next_steps, name="customer_next_steps"),
]
