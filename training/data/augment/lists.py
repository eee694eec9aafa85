"""Names to draw from, written by hand: common first names of either gender, surnames, cities and countries.

First names and surnames are spelled alike in both languages, with an underscore for a space; places stand as
`Italian/English`, once where they are alike. Countries are grouped by what stands before them in Italian.
"""

from __future__ import annotations

import functools

MALE = """
Alberto Aldo Alessandro Alessio Alfredo Andrea Angelo Antonio Arturo Bruno Carlo Claudio Corrado Cristian Daniele
Dario Davide Diego Domenico Edoardo Elia Emanuele Enrico Enzo Ernesto Ettore Fabio Fabrizio Federico Filippo Francesco
Franco Gabriele Gaetano Gennaro Giacomo Gianni Giorgio Giovanni Giulio Giuseppe Guido Ivan Jacopo Leonardo Lorenzo
Luca Luigi Manuel Marcello Marco Mario Massimo Matteo Mattia Maurizio Michele Mirko Nicola Nicolò Nino Orazio Paolo
Pasquale Pietro Raffaele Renato Riccardo Roberto Rocco Ruggero Salvatore Samuele Sandro Sergio Silvio Simone Stefano
Tommaso Ugo Umberto Valerio Vincenzo Vito Vittorio Walter Aaron Adam Adrian Ahmed Alan Albert Alex Ali Andrew Anthony
Arthur Benjamin Bernard Boris Brandon Brian Bruce Carlos Charles Chris Colin Connor Craig Daniel David Dennis Derek
Dieter Dmitri Donald Douglas Dylan Edward Eric Ethan Felix Fernando François Frank Fred Gary George Gerald Gordon
Graham Greg Hans Harold Harry Hassan Henry Hiroshi Howard Hugh Ian Jack Jacob James Jamal Jason Jean Jeff Jeremy Jim
Joe Joel John Jonathan José Joseph Joshua Juan Justin Karl Keith Ken Kenneth Kevin Klaus Kyle Lars Larry Leon Leroy
Lewis Liam Logan Louis Luke Malcolm Martin Mason Matthew Max Michael Miguel Mike Mohamed Nathan Neil Nicholas Nigel
Noah Oliver Omar Oscar Patrick Paul Pedro Peter Philip Pierre Ralph Raymond Richard Robert Robin Rodney Roger Ronald
Ryan Samuel Scott Sean Simon Stanley Stephen Steve Stuart Sven Ted Theodore Thomas Tim Timothy Todd Tom Tony Trevor
Victor Vincent Wayne William Winston Wolfgang Xavier Yusuf Zachary
"""

FEMALE = """
Adele Agnese Alessandra Alessia Alice Anna Annalisa Antonella Arianna Aurora Barbara Beatrice Benedetta Bianca Camilla
Carla Carlotta Carmela Caterina Cecilia Chiara Cinzia Clara Claudia Cristina Daniela Debora Donatella Elena Eleonora
Elisa Elisabetta Emma Erica Ester Eva Federica Fiorella Francesca Gabriella Gaia Giada Gianna Ginevra Giorgia Giovanna
Giulia Giuliana Giuseppina Graziella Ilaria Irene Isabella Laura Letizia Lidia Liliana Livia Lorena Loredana Lucia
Lucrezia Luisa Maddalena Manuela Mara Margherita Maria Marianna Marina Marisa Marta Martina Matilde Michela Milena
Miriam Monica Nadia Noemi Ornella Paola Patrizia Raffaella Rebecca Rita Roberta Rosanna Sabrina Sara Serena Silvia
Sofia Sonia Stefania Susanna Teresa Valentina Valeria Vanessa Veronica Viola Virginia Viviana Abigail Aisha Alison
Amanda Amber Amélie Amy Angela Anita Anne Ashley Audrey Betty Beverly Brenda Bridget Brigitte Carmen Carol Caroline
Catherine Charlotte Chloé Christina Christine Cindy Claire Deborah Diana Diane Donna Dorothy Edith Eileen Elizabeth
Ellen Emily Esther Fatima Fiona Frances Gloria Greta Hannah Harriet Heather Helen Hilda Holly Ingrid Isabel Jane Janet
Jennifer Jessica Jill Joan Joanna Judith Judy Julia Julie Karen Kate Katherine Kathleen Kelly Kim Kimberly Layla Leila
Linda Lisa Lori Louise Lucy Lydia Madison Margaret Marilyn Martha Mary Megan Melanie Melissa Mei Michelle Molly Nancy
Natalie Natasha Nicole Nina Olga Olivia Pamela Patricia Paula Phoebe Priscilla Rachel Rosa Rosemary Ruth Samantha
Sandra Sarah Sharon Sheila Shirley Sophie Stella Stephanie Susan Suzanne Tamara Tanya Tatiana Theresa Tiffany Tina
Tracy Ursula Vera Wendy Yasmin Yoko Yvonne Zoe
"""

SURNAMES = """
Alberti Amato Barbieri Baroni Basile Battaglia Bellini Benedetti Bernardi Bertolini Bianchi Bianco Bruni Bruno Caputo
Caruso Cattaneo Colombo Conte Conti Coppola Cristiani Damiani D'Amico D'Angelo De_Luca De_Santis De_Rosa Di_Stefano
Donati Esposito Fabbri Farina Ferrara Ferrari Ferraro Ferretti Ferri Fiore Fontana Galli Gallo Garofalo Gatti Gentile
Giordano Giuliani Grassi Grasso Greco Guerra Leone Lombardi Lombardo Longo Mancini Marchetti Mariani Marinelli Marini
Marino Martinelli Martini Martino Mazza Messina Milani Monti Morelli Moretti Negri Neri Orlando Palmieri Palumbo Parisi
Pellegrini Pellegrino Piras Ricci Rinaldi Riva Rizzi Rizzo Romano Romeo Rossetti Rossi Ruggiero Russo Sala Sanna
Santoro Serra Silvestri Sorrentino Testa Valentini Villa Vitale Vitali Zanetti
Adams Allen Anderson Andersen Bailey Baker Bennett Brooks Campbell Carter Chen Clark Collins Cooper Cox Davies
Davis Dubois Edwards Evans Fernández Fischer Foster García González Gupta Hall Harris Hernández Hoffmann Howard Hughes
Ivanov Jackson Jensen Johansson Johnson Jones Kelly Kim Kowalski Larsen Lee Lewis Li López MacDonald Martínez Meyer
Miller Mitchell Moore Morgan Morris Müller Murphy Nakamura Nelson Nguyen Novak O'Brien O'Connor Parker Patel Patterson
Pérez Peterson Petrov Phillips Powell Reed Reynolds Richardson Roberts Robinson Rodríguez Rogers Ross Russell
Sanders Sato Schmidt Schneider Scott Silva Simmons Singh Smith Stewart Suzuki Tanaka Taylor Thompson Turner Wagner
Walker Wang Watson Weber Williams Wilson Wright Yamamoto
"""

CITIES = """
Roma/Rome, Milano/Milan, Torino/Turin, Napoli/Naples, Firenze/Florence, Venezia/Venice, Genova/Genoa, Padova/Padua,
Mantova/Mantua, Siracusa/Syracuse, Bologna, Verona, Palermo, Bari, Catania, Messina, Trieste, Parma, Modena, Pisa,
Siena, Lucca, Perugia, Ancona, Ravenna, Ferrara, Bergamo, Brescia, Trento, Udine, Salerno, Lecce, Cagliari, Sassari,
Como, Novara, Pavia, Pescara, Rimini, Vicenza, Treviso, Livorno, Assisi, Matera, Potenza, Foggia, Taranto, Cosenza,
Arezzo, Londra/London, Parigi/Paris, Berlino/Berlin, Madrid, Barcellona/Barcelona, Siviglia/Seville, Valencia,
Lisbona/Lisbon, Porto, Vienna, Salisburgo/Salzburg, Ginevra/Geneva, Zurigo/Zurich, Basilea/Basel, Berna/Bern, Monaco
di Baviera/Munich, Colonia/Cologne, Amburgo/Hamburg, Francoforte/Frankfurt, Stoccarda/Stuttgart, Dresda/Dresden,
Lipsia/Leipzig, Norimberga/Nuremberg, Marsiglia/Marseille, Lione/Lyon, Nizza/Nice, Strasburgo/Strasbourg, Bordeaux,
Tolosa/Toulouse, Bruxelles/Brussels, Anversa/Antwerp, Bruges, Amsterdam, Rotterdam, Copenaghen/Copenhagen,
Stoccolma/Stockholm, Oslo, Bergen, Helsinki, Reykjavik, Dublino/Dublin, Belfast, Edimburgo/Edinburgh, Glasgow,
Liverpool, Manchester, Oxford, Cambridge, Leeds, Brighton, Cardiff, Praga/Prague, Varsavia/Warsaw, Cracovia/Krakow,
Danzica/Gdańsk, Budapest, Bucarest/Bucharest, Sofia, Belgrado/Belgrade, Zagabria/Zagreb, Lubiana/Ljubljana, Sarajevo,
Tirana, Atene/Athens, Salonicco/Thessaloniki, Istanbul, Ankara, Mosca/Moscow, San Pietroburgo/Saint Petersburg,
Kiev/Kyiv, Odessa, Riga, Vilnius, Tallinn, Minsk, Gerusalemme/Jerusalem, Tel Aviv, Damasco/Damascus, Beirut,
Bagdad/Baghdad, Teheran/Tehran, Dubai, Tunisi/Tunis, Algeri/Algiers, Casablanca, Tripoli, Alessandria
d'Egitto/Alexandria, Nairobi, Lagos, Dakar, Addis Abeba/Addis Ababa, Johannesburg, Città del Capo/Cape Town,
Pechino/Beijing, Shanghai, Hong Kong, Singapore, Seul/Seoul, Tokyo, Kyoto, Osaka, Nara, Kobe, Nagoya, Yokohama,
Sapporo, Hiroshima, Bangkok, Hanoi, Manila, Giacarta/Jakarta, Mumbai, Calcutta/Kolkata, Nuova Delhi/New Delhi,
Kathmandu, Sydney, Melbourne, Brisbane, Perth, Auckland, Wellington, Boston, New York, Chicago, Los Angeles, San
Francisco, San Diego, Seattle, Portland, Denver, Dallas, Houston, Austin, Atlanta, Miami, New Orleans, Nashville,
Memphis, Detroit, Cleveland, Pittsburgh, Filadelfia/Philadelphia, Baltimora/Baltimore, Las Vegas, Phoenix, Tucson,
Minneapolis, Honolulu, Toronto, Montréal, Vancouver, Ottawa, Città del Messico/Mexico City, Guadalajara,
Bogotà/Bogotá, Medellín, Quito, Lima, Santiago, Buenos Aires, Montevideo, San Paolo/São Paulo, Rio de Janeiro,
Brasilia, Caracas
"""

COUNTRIES = (
    """Australia, Austria, Argentina, Albania, Algeria, Armenia, Estonia, Etiopia/Ethiopia, India, Indonesia,
    Irlanda/Ireland, Islanda/Iceland, Italia/Italy, Inghilterra/England, Ungheria/Hungary, Ucraina/Ukraine, Arabia
    Saudita/Saudi Arabia""",
    """Francia/France, Germania/Germany, Spagna/Spain, Russia, Cina/China, Svezia/Sweden, Norvegia/Norway, Nigeria,
    Danimarca/Denmark, Finlandia/Finland, Polonia/Poland, Grecia/Greece, Turchia/Turkey, Romania, Bulgaria,
    Croazia/Croatia, Serbia, Lituania/Lithuania, Lettonia/Latvia, Svizzera/Switzerland, Scozia/Scotland,
    Siria/Syria, Tunisia, Libia/Libya, Giordania/Jordan, Thailandia/Thailand, Colombia, Bolivia, Tanzania, Somalia,
    Corea del Sud/South Korea, Nuova Zelanda/New Zealand""",
    """Brasile/Brazil, Canada, Messico/Mexico, Perù/Peru, Cile/Chile, Giappone/Japan, Portogallo/Portugal,
    Belgio/Belgium, Marocco/Morocco, Libano/Lebanon, Kenya, Pakistan, Vietnam, Nepal, Paraguay, Venezuela, Kuwait,
    Qatar, Senegal, Camerun/Cameroon, Galles/Wales, Lussemburgo/Luxembourg, Sudafrica/South Africa, Ruanda/Rwanda""",
    """Iran, Iraq, Egitto/Egypt, Ecuador, Uruguay, Afghanistan""",
)  # fmt: skip
"""`l'` and `in`; `la` and `in`; `il` and `in`; `l'` and `in`, masculine."""


@functools.cache
def people() -> dict[str, list[str]]:
    """The names under `male`, `female` and `surname`."""
    lists = {"male": MALE, "female": FEMALE, "surname": SURNAMES}
    return {kind: [name.replace("_", " ") for name in names.split()] for kind, names in lists.items()}
