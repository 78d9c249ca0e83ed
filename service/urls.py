from django.urls import path

from service import views

app_name = "service"
urlpatterns = [
    path("orders/of-customer/<int:pk>/", views.customer_orders, name="customer_orders"),
    path("orders/of-vehicle/<int:pk>/", views.vehicle_orders, name="vehicle_orders"),
]
