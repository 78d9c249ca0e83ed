from django.urls import path

from customers import views

app_name = "customers"
urlpatterns = [
    path("", views.customer_list, name="customer_list"),
    path("access/", views.access_list, name="access_list"),
    path("<int:pk>/", views.customer_detail, name="customer_detail"),
    path("<int:pk>/edit/", views.customer_edit, name="customer_edit"),
    path("<int:pk>/consent/", views.customer_consent, name="customer_consent"),
    path("<int:pk>/reveal/", views.customer_reveal, name="customer_reveal"),
]
