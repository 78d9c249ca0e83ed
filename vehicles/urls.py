from django.urls import path

from vehicles import views

app_name = "vehicles"
urlpatterns = [
    path("", views.vehicle_list, name="vehicle_list"),
    path("<int:pk>/", views.vehicle_detail, name="vehicle_detail"),
    path("<int:pk>/owner/", views.vehicle_owner, name="vehicle_owner"),
    path("of-customer/<int:pk>/", views.customer_cars, name="customer_cars"),
    path("of-customer/<int:pk>/changes/", views.customer_changes, name="customer_changes"),
]
